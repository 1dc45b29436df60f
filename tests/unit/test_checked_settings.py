from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import pytest
from pydantic import Field

from crossguard.checked_settings import StrictModel, gather_settings, parse, read_nth, read_yaml
from crossguard.errors import ConfigError


class Inner(StrictModel):
    depth: int = 1


class Round(StrictModel):
    kind: Literal["round"] = "round"
    radius: float = 1


class Square(StrictModel):
    kind: Literal["square"] = "square"
    side: float | None = None


Shape = Annotated[Round | Square, Field(discriminator="kind")]


class Outer(StrictModel):
    width: int
    inner: dict[str, Inner] = Field(default_factory=dict)
    shape: Shape | None = None
    shapes: tuple[Shape, ...] = ()


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
    ("content", "told"),
    [
        ("share: 0,6", r"'share': must be a number with a decimal point; write 0\.6 \(got '0,6'\)"),
        ("{share: 0,6}", r"'6': is a number where a key belongs; in a number, write a decimal point, as in 0\.6"),
        ("share: 1,000,000", "valid number"),
    ],
)
def test_a_decimal_comma_is_told(tmp_path: Path, content: str, told: str) -> None:
    class Shared(StrictModel):
        share: float

    (tmp_path / "a.yaml").write_text(content)
    with pytest.raises(ConfigError, match=told):
        parse(Shared, read_yaml(tmp_path / "a.yaml"), "a.yaml")


def test_keys_of_a_union_are_those_of_the_member_that_was_chosen() -> None:
    shapes = [{"kind": "square"}, {"kind": "square", "side": "long"}]
    with pytest.raises(ConfigError) as failure:
        parse(Outer, {"width": 1, "shape": {"kind": "round", "sides": 2}, "shapes": shapes}, "settings.yaml")
    message = str(failure.value)
    assert "Unknown key 'shape.sides'. Known: kind, radius." in message
    assert "'shapes.1.side': Input should be a valid number" in message


@pytest.mark.parametrize(
    ("content", "again"),
    [
        ("keys: {a: 1}\nother: 2\nkeys: {b: 2}\n", "the key 'keys' in line 1 and again in line 3"),
        ("a:\n  - b: {x: 1}\n    c: 2\n    b: {x: 2}\n", "the key 'b' in line 2 and again in line 4"),
    ],
)
def test_a_key_that_stands_there_twice_is_refused(tmp_path: Path, content: str, again: str) -> None:
    """As after `serve --new-key ops >> keys.yaml`: the first key would be lost without a word."""
    path = tmp_path / "file.yaml"
    path.write_text(content)
    with pytest.raises(ConfigError, match=again):
        read_yaml(path)


def test_keys_of_different_mappings_and_aliases_are_no_repetition(tmp_path: Path) -> None:
    path = tmp_path / "file.yaml"
    path.write_text("a: &rule {x: 1}\nb: *rule\nc: {x: 2, y: [*rule, *rule]}\nd: &self [*self]\n")
    assert read_yaml(path)["c"] == {"x": 2, "y": [{"x": 1}, {"x": 1}]}


@pytest.mark.parametrize(
    ("content", "told"),
    [("a: [", "not valid YAML"), ("a: " + "[" * 3000, "not valid YAML"), ("- 1", "holds list"), ("", "holds NoneType")],
)
def test_a_file_must_hold_a_mapping(tmp_path: Path, content: str, told: str) -> None:
    path = tmp_path / "file.yaml"
    path.write_text(content)
    with pytest.raises(ConfigError, match=told):
        read_yaml(path)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_a_file_may_begin_with_a_mark_as_windows_writes_it(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "file.yaml"
    path.write_bytes("name: caf\u00e9\r\n".encode(encoding))
    assert read_yaml(path) == {"name": "caf\u00e9"}


def test_a_file_in_another_encoding_is_told(tmp_path: Path) -> None:
    path = tmp_path / "file.yaml"
    path.write_bytes(b"name: caf\xe9\n")
    with pytest.raises(ConfigError, match=r"file\.yaml is not valid YAML: .*invalid continuation byte"):
        read_yaml(path)


@pytest.mark.parametrize("value", ["2026-13-01", "2026-02-30", "!!int x", "!!float ''", "!!bool x"])
def test_a_value_that_cannot_be_is_told(tmp_path: Path, value: str) -> None:
    path = tmp_path / "file.yaml"
    path.write_text(f"name: a\nversion: {value}\n")
    with pytest.raises(ConfigError, match=r"file\.yaml is not valid YAML: "):
        read_yaml(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"Cannot read .*none\.yaml"):
        read_yaml(tmp_path / "none.yaml")


def test_flags_win_over_variables_and_these_over_the_file(tmp_path: Path) -> None:
    path = tmp_path / "settings.yaml"
    path.write_text("width: 1\ninner: {x: {depth: 5}}\n")
    variables = {"OUTER_WIDTH": "2", "OTHER_WIDTH": "9"}

    def width(flag: int | None, environment: dict[str, str]) -> int:
        found = gather_settings(Outer, "OUTER_", {"width": flag, "inner": None}, environment, path, "Settings")
        assert found.inner["x"].depth == 5
        return found.width

    assert [width(3, variables), width(None, variables), width(None, {})] == [3, 2, 1]


def test_the_nth_of_some_is_read() -> None:
    assert [read_nth(text, "--fold") for text in ("0/5", "15/16")] == [(0, 5), (15, 16)]


@pytest.mark.parametrize("text", ["3/3", "a/2", "1", "-1/2", "1/0", "²/3", "0/"])
def test_what_is_no_nth_of_some_is_refused_by_the_name_of_its_option(text: str) -> None:
    with pytest.raises(ConfigError, match=r"--shards takes K/N with K from 0 to N - 1"):
        read_nth(text, "--shards")
