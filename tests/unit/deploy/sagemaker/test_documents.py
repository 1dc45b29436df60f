"""What stands in the YAML files and what is filled in."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from crossguard.deploy.sagemaker import documents

TEXT = """
Name: "{name}-x"
Whole: $numbers
List: [first, $numbers, {when: wanted, Entry: "{name}"}]
Part: {when: wanted, Inner: 1}
Count: 3
Absent: $nothing
"""


@pytest.fixture
def text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "sample.yaml").write_text(TEXT)
    monkeypatch.setattr(documents, "__file__", str(tmp_path / "documents.py"))


@pytest.mark.usefixtures("text")
@pytest.mark.parametrize(
    ("wanted", "more"),
    [(False, {"List": ["first", 1, 2]}), (True, {"List": ["first", 1, 2, {"Entry": "hate"}], "Part": {"Inner": 1}})],
)
def test_names_are_filled_in_and_parts_that_do_not_hold_are_left_out(wanted: bool, more: dict[str, Any]) -> None:
    found = documents.document("sample", {"name": "hate", "numbers": [1, 2], "wanted": wanted, "nothing": None})
    assert found == {"Name": "hate-x", "Whole": [1, 2], "Count": 3, **more}


@pytest.mark.usefixtures("text")
def test_a_name_that_nobody_gives_is_an_error() -> None:
    with pytest.raises(KeyError, match="wanted"):
        documents.document("sample", {"name": "hate", "numbers": []})
