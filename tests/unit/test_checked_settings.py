from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import Field

from crossguard.checked_settings import StrictModel, parse, read_yaml
from crossguard.errors import ConfigError


class Inner(StrictModel):
    depth: int = 1


class Outer(StrictModel):
    width: int
    inner: dict[str, Inner] = Field(default_factory=dict)


def test_every_problem_is_told_with_its_place() -> None:
    with pytest.raises(ConfigError) as failure:
        parse(Outer, {"inner": {"x": {"dept": 2, "depth": "deep"}}, "widht": 3}, "settings.yaml")
    message = str(failure.value)
    assert message.startswith("settings.yaml: 4 problems")
    assert "Missing key 'width'." in message
    assert "Unknown key 'widht'. Did you mean 'width'?" in message
    assert "Unknown key 'inner.x.dept'. Did you mean 'depth'?" in message
    assert "'inner.x.depth'" in message
    assert "(got 'deep')" in message


@pytest.mark.parametrize(
    ("content", "told"), [("a: [", "not valid YAML"), ("- 1", "holds list"), ("", "holds NoneType")]
)
def test_a_file_must_hold_a_mapping(tmp_path: Path, content: str, told: str) -> None:
    path = tmp_path / "file.yaml"
    path.write_text(content)
    with pytest.raises(ConfigError, match=told):
        read_yaml(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"Cannot read .*none\.yaml"):
        read_yaml(tmp_path / "none.yaml")
