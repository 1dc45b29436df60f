"""The page about policy files names every key of the model, and no other."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from pydantic import BaseModel

from crossguard.decision.policy import Bands, Calibrated
from crossguard.decision.policy_file import PolicyFile

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "policy.md"


@pytest.mark.parametrize(
    ("heading", "model"), [("# Policy file", PolicyFile), ("## Bands", Bands), ("## Calibration", Calibrated)]
)
def test_every_key_is_described(heading: str, model: type[BaseModel]) -> None:
    section = re.split(r"^## ", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE)
    text = next(part for part in section if part.startswith(heading.removeprefix("## ")))
    assert set(re.findall(r"^\| `(\w+)` \|", text, flags=re.MULTILINE)) == set(model.model_fields)
