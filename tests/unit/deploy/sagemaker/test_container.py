"""Names, isolation and variables of a container."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import ValidationError

from crossguard.deploy.sagemaker.container import MAX_TOTAL_MB, Container, name_of, stamped, tagged

IMAGE = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/crossguard:1"
ROLE = "arn:aws:iam::123456789012:role/x"


def container(**more: Any) -> Container:
    return Container(**{"image": IMAGE, "model_data": "s3://bucket/model.tar.gz", "role": ROLE} | more)


def test_a_name_follows_what_it_names_and_fits_into_63_characters() -> None:
    first = name_of("hate", {"a": 1, "b": 2})
    assert first == name_of("hate", {"b": 2, "a": 1}) != name_of("hate", {"a": 1, "b": 3})
    assert len(name_of("x" * 52, {})) == 63
    assert stamped("job", datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)) == "job-20260102-030405"
    assert len(stamped("x" * 47, None)) == 63


def test_our_image_is_isolated_and_aws_installs_from_the_network() -> None:
    network = {"subnets": ("s-1",), "security_groups": ("g-1",)}
    ours, theirs = container(**network), container(image_kind="pytorch")
    assert ours.model()["EnableNetworkIsolation"] is True
    assert ours.model()["VpcConfig"] == {"Subnets": ["s-1"], "SecurityGroupIds": ["g-1"]}
    assert theirs.model()["EnableNetworkIsolation"] is False
    assert container().model(serverless=True)["EnableNetworkIsolation"] is False


@pytest.mark.parametrize("part", [{"subnets": ("s-1",)}, {"security_groups": ("g-1",)}])
def test_a_vpc_is_given_whole(part: dict[str, tuple[str, ...]]) -> None:
    with pytest.raises(ValidationError, match="subnets and security_groups are of one VPC"):
        container(**part)


def test_own_variables_win_over_those_of_the_kind() -> None:
    found = container(policy="strict", environment={"CROSSGUARD_POLICY": "mine"}).model()["PrimaryContainer"]
    assert found["Environment"]["CROSSGUARD_POLICY"] == "mine"
    assert found["Environment"]["CROSSGUARD_INSECURE"] == "true"


def test_awss_image_takes_the_bodies_that_a_storage_sends() -> None:
    told = container(image_kind="pytorch").model(uncapped=True)["PrimaryContainer"]["Environment"]
    assert int(told["TS_MAX_REQUEST_SIZE"]) == MAX_TOTAL_MB << 20
    assert int(told["TS_MAX_RESPONSE_SIZE"]) > 10 * int(told["TS_MAX_REQUEST_SIZE"])
    assert told["TS_DEFAULT_RESPONSE_TIMEOUT"] == "3600"
    assert "TS_MAX_REQUEST_SIZE" not in container(image_kind="pytorch").model()["PrimaryContainer"]["Environment"]
    assert "TS_MAX_REQUEST_SIZE" not in container().model(uncapped=True)["PrimaryContainer"]["Environment"]


def test_tags_are_left_out_where_there_are_none() -> None:
    assert tagged({}) == {}
    assert tagged({"b": "1", "a": "2"}) == {"Tags": [{"Key": "a", "Value": "2"}, {"Key": "b", "Value": "1"}]}


@pytest.mark.parametrize(
    "wrong",
    [{"image": "no registry"}, {"model_data": "/tmp/model"}, {"role": "x"}, {"image_kind": "docker"}],  # noqa: S108
)
def test_what_aws_would_refuse_is_refused_here(wrong: dict[str, str]) -> None:
    with pytest.raises(ValidationError):
        container(**wrong)
