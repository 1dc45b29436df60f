"""What makes two runs one job."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from crossguard.bundle import Bundle
from crossguard.data.columns import Columns
from crossguard.errors import OutputError
from crossguard.jobs.spec import JobSpec, refuse_another
from crossguard.moderator import Moderator


@pytest.fixture
def spec(tiny_bundle: Bundle) -> JobSpec:
    policy = tiny_bundle.manifest.policies["default"].model_dump(mode="json")
    return JobSpec(inputs=("/in",), output="/out", model=str(tiny_bundle.folder), policy=policy)


def test_settings_come_back_from_json(spec: JobSpec) -> None:
    whole = replace(spec, columns=Columns(text="tweet"), fetch_origins=("https://media.example",), threads=2, keep=True)
    for in_python in (False, True):
        one = replace(whole, in_python=in_python)
        assert JobSpec.from_dict(json.loads(json.dumps(one.to_dict()))) == one


def test_addresses_are_columns_of_images_only_where_they_are_fetched(spec: JobSpec) -> None:
    assert not spec.columns.addresses
    assert replace(spec, fetch_origins=("https://media.example",)).columns.addresses


@pytest.mark.parametrize(
    ("change", "same"),
    [
        ({"threads": 7, "output": "/elsewhere", "inputs": ("/moved",)}, True),
        ({"in_python": True}, True),
        ({"keep": True}, False),
        ({"pixels": "exact"}, False),
        ({"format": "csv"}, False),
        ({"columns": Columns(text="tweet")}, False),
        ({"batch_size": 8}, False),
        ({"image_root": "/other/images"}, False),
    ],
)
def test_a_job_is_another_one_when_its_bytes_would_be(
    spec: JobSpec, tiny: Moderator, change: dict[str, Any], *, same: bool
) -> None:
    first, second = spec.identity(tiny, "plan"), replace(spec, **change).identity(tiny, "plan")
    assert (first == second) is same
    assert (spec.of(first).fingerprint == spec.of(second).fingerprint) is same


def test_another_input_policy_or_model_is_told_by_name(spec: JobSpec, tiny: Moderator, tmp_path: Path) -> None:
    now = spec.identity(tiny, "plan")
    refuse_another(now, dict(now), "out")
    with pytest.raises(OutputError, match=r"which is another job: policy was default .*, and is benchmark"):
        refuse_another(now, spec.identity(tiny.with_policy("benchmark"), "plan"), "out")
    with pytest.raises(OutputError, match="input was plan, and is other"):
        refuse_another(now, spec.identity(tiny, "other"), "out")
    with pytest.raises(OutputError, match="ocr was None, and is False"):
        refuse_another({name: value for name, value in now.items() if name != "ocr"}, now, "out")
