"""What pyproject.toml allows can be installed together."""

from __future__ import annotations

import tomllib
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2] / "pyproject.toml"


def lower_bound(requirements: list[str], name: str) -> tuple[int, ...]:
    found = next(one for one in requirements if one.startswith(f"{name}>="))
    return tuple(int(part) for part in found.removeprefix(f"{name}>=").split("."))


def test_no_transformers_is_allowed_that_needs_an_older_huggingface_hub() -> None:
    project = tomllib.loads(PROJECT.read_text(encoding="utf-8"))["project"]
    # transformers 4 asks for huggingface-hub below 1.0 in its own metadata.
    assert lower_bound(project["dependencies"], "huggingface-hub") >= (1, 0)
    assert lower_bound(project["optional-dependencies"]["train"], "transformers") >= (5, 0)
