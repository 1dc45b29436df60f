"""A file of what shall be deployed, by its kind."""

from __future__ import annotations

from pathlib import Path

import pytest

from crossguard.deploy.sagemaker.capacity import Serverless
from crossguard.deploy.sagemaker.endpoint import Endpoint
from crossguard.deploy.sagemaker.spec import read_spec
from crossguard.errors import ConfigError

CONTAINER = """
container:
  image: 123456789012.dkr.ecr.eu-west-1.amazonaws.com/crossguard:1
  model_data: s3://bucket/model.tar.gz
  role: arn:aws:iam::123456789012:role/x
"""


def test_the_kind_says_what_the_rest_means(tmp_path: Path) -> None:
    file = tmp_path / "endpoint.yaml"
    file.write_text(f"kind: endpoint\nname: hate{CONTAINER}capacity: {{kind: serverless, memory_mb: 3072}}\n")
    found = read_spec(file)
    assert isinstance(found, Endpoint)
    assert found.capacity == Serverless(memory_mb=3072)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("kind: endpiont\n", "Did you mean 'endpoint'"),
        ("name: hate\n", "Unknown kind ''"),
        (
            f"kind: endpoint\nname: hate{CONTAINER}capacity: {{kind: realtime, instances: 3, max_instances: 2}}\n",
            "max_inst",
        ),
        (f"kind: transform\nname: t{CONTAINER}input: s3://bucket/i\n", "Missing key 'output'"),
    ],
)
def test_what_is_wrong_is_told_with_the_file(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "spec.yaml"
    file.write_text(text)
    with pytest.raises(ConfigError, match=said):
        read_spec(file)
