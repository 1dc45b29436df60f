from __future__ import annotations

import pytest

from crossguard.bundle import Bundle
from crossguard.preprocessing.lines import lines_of
from crossguard.preprocessing.text import TextEncoder
from crossguard.preprocessing.windows import Window

COPY = "Anna Miller\n2h\n\nhello good people\nLike\nhello good people\n \n12 comments\r\n"


def lines(text: str, longest: int = 100, most: int = 32) -> list[str]:
    return [text[slice(*span)] for span in lines_of(text, longest, most)]


def test_lines_that_say_something_are_found_once() -> None:
    assert lines(COPY) == ["Anna Miller", "hello good people", "12 comments"]


@pytest.mark.parametrize("text", ["", "hello good people", "hello good people\n", "\n \n hello good people \n\n"])
def test_a_text_of_one_line_has_none(text: str) -> None:
    assert lines(text) == []


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r", "\v", "\f", "\x85", "\u2028", "\u2029"])
def test_lines_end_where_python_ends_them(end: str) -> None:
    assert lines(f"hello there{end}good people") == ["hello there", "good people"]


@pytest.mark.parametrize(
    "speaker",
    [
        "[12:02] ",
        "[12:02] anna: ",
        "12:02 - Anna Miller: ",
        "<anna> ",
        "[14:02:11] <anna> ",
        "2:02 PM Anna: ",
        "[12/03/2026, 14:02:11] Anna: ",
        "2026-03-12 14:02 anna_m: ",
        "  3/12/26, 2:02 pm - ~Anna v. B.: ",
    ],
)
def test_of_a_line_of_a_chat_only_what_was_said_is_read(speaker: str) -> None:
    assert lines(f"{speaker}good people") == ["good people"]
    assert lines(f"{speaker}good people\n{speaker}hello there") == ["good people", "hello there"]


@pytest.mark.parametrize("text", ["He said: hello there", "12:02", "at 12:02 Anna: good people", "1 < 2 > 0 is true"])
def test_other_colons_are_no_speakers(text: str) -> None:
    assert lines(text) == []


def test_a_long_line_is_left_to_the_windows() -> None:
    assert lines("hello good people\nhello there", longest=12) == ["hello there"]


def test_of_too_many_lines_the_ends_are_kept() -> None:
    assert lines("\n".join(f"line {number}" for number in range(99)), most=4) == [
        "line 0", "line 1", "line 2", "line 98"
    ]  # fmt: skip


def test_a_line_is_a_window_of_its_own_that_says_where_it_lies(tiny_bundle: Bundle) -> None:
    encoder = TextEncoder(tiny_bundle.tokenizer, tiny_bundle.manifest.text)
    text = "my friends\n\nawful people"
    whole, first, last = encoder.encode([(text, "hello")])[0].windows
    assert whole.text is None
    assert [text[slice(*window.text)] for window in (first, last) if window.text] == ["my friends", "awful people"]
    assert last.ids == encoder.encode([("awful people", "")])[0].ids


def test_only_the_author_writes_lines(tiny_bundle: Bundle) -> None:
    """Lines of an image are pieces of sentences."""
    encoder = TextEncoder(tiny_bundle.tokenizer, tiny_bundle.manifest.text)
    assert len(encoder.encode([("", "my friends\nawful people")])[0].windows) == 1


def test_a_bundle_can_do_without(tiny_bundle: Bundle) -> None:
    spec = tiny_bundle.manifest.text.model_copy(update={"lines": False})
    assert len(TextEncoder(tiny_bundle.tokenizer, spec).encode([("my friends\nawful people", "")])[0].windows) == 1


def test_a_window_of_a_stretch_is_one_of_the_text() -> None:
    assert Window((1,), text=(2, 5)).within((10, 20)).text == (12, 15)
    assert Window((1,)).within((10, 20)).text == (10, 20)
