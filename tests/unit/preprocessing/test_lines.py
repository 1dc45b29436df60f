from __future__ import annotations

import pytest

from crossguard.bundle import Bundle
from crossguard.preprocessing.lines import lines_of
from crossguard.preprocessing.text import LINES_PER_WINDOW, TextEncoder

COPY = "Anna Miller\n2h\n\n hello good people\nLike\nhello good people \n \n12 comments\r\n"


def lines(text: str, longest: int = 100, most: int = 32) -> list[str]:
    return [text[slice(*span)] for span in lines_of(text, longest, most)]


def encoder(bundle: Bundle, **changes: object) -> TextEncoder:
    return TextEncoder(bundle.tokenizer, bundle.manifest.text.model_copy(update=changes))


def places(text: str, bundle: Bundle, **changes: object) -> list[str]:
    """Returns the lines that are windows of a text."""
    windows = encoder(bundle, **changes).encode([(text, "")])[0].windows
    return [text[slice(*window.text)] for window in windows if window.line and window.text]


def test_lines_that_say_something_are_found_once() -> None:
    assert lines(COPY) == ["Anna Miller", "hello good people", "12 comments"]
    assert lines_of(COPY, 100, 32)[1] == (17, 34)  # the first of the two


@pytest.mark.parametrize("text", ["", "hello good people", "hello good people\n", "\n \nhello good people\n\n"])
def test_a_text_of_one_line_has_none(text: str) -> None:
    assert lines(text) == []


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r", "\v", "\f", "\x85", "\u2028", "\u2029"])
def test_lines_end_where_python_ends_them(end: str) -> None:
    assert lines(f"hello there{end}good people") == ["hello there", "good people"]


@pytest.mark.parametrize(
    "time",
    [
        "[12:02] ",
        "12:02 - ",
        "[14:02:11]\t",
        "2:02 PM ",
        "[12/03/2026, 14:02:11] ",
        "2026-03-12 14:02 ",
        "  3/12/26, 2:02\u202fpm - ",
        "\u200e[12/03/2026, 14:02:11] ",
    ],
)
@pytest.mark.parametrize(
    "name", ["anna", "Anna Miller", "~Anna v. B.", "Anna \U0001f60a", "+1 (555) 123-4567", "O'Neil"]
)
def test_what_was_said_in_a_chat_is_read_without_time_and_speaker(time: str, name: str) -> None:
    assert lines(f"{time}good people") == ["good people"]
    assert lines(f"{time}{name}: good people") == [f"{name}: good people", "good people"]
    assert lines(f"{time}<{name}> good people")[-1] == "good people"
    assert lines(f"<{name}> good people")[-1] == "good people"


def test_nothing_hides_in_the_name_of_a_speaker() -> None:
    assert lines("10:15 All good people: hello") == ["All good people: hello"]
    assert lines("10:15 All good people: hello there") == ["All good people: hello there", "hello there"]


@pytest.mark.parametrize("text", ["He said: hello there", "12:02", "at 12:02 Anna: good people", "1 < 2 > 0 is true"])
def test_other_colons_are_no_speakers(text: str) -> None:
    assert lines(text) == []


def test_what_nobody_sees_is_no_line() -> None:
    assert lines("<!-- hello there -->\n<p class='a b'>\ngood people\n</p>") == ["good people"]


def test_a_long_line_is_left_to_the_windows() -> None:
    assert lines("hello good people\nhello there", longest=12) == ["hello there"]


def test_of_too_many_lines_the_ends_are_kept() -> None:
    assert lines("\n".join(f"line {number}" for number in range(99)), most=4) == [
        "line 0", "line 1", "line 2", "line 98"
    ]  # fmt: skip


def test_a_line_is_a_window_of_its_own_that_says_where_it_lies(tiny_bundle: Bundle) -> None:
    text = "my friends\n\n  awful people"
    whole, first, last = encoder(tiny_bundle).encode([(text, "hello")])[0].windows
    assert (whole.text, whole.line, first.line) == (None, False, True)
    assert [text[slice(*window.text)] for window in (first, last) if window.text] == ["my friends", "awful people"]
    assert last.ids == encoder(tiny_bundle).encode([("awful people", "")])[0].ids


def test_a_line_that_is_the_whole_text_to_the_model_is_no_window(tiny_bundle: Bundle) -> None:
    assert len(encoder(tiny_bundle).encode([("awful people\n\u200b", "")])[0].windows) == 1


def test_only_the_author_writes_lines(tiny_bundle: Bundle) -> None:
    """Lines of an image are pieces of sentences."""
    assert len(encoder(tiny_bundle).encode([("", "my friends\nawful people")])[0].windows) == 1


def test_a_line_of_several_windows_is_left_to_those_of_the_text(tiny_bundle: Bundle) -> None:
    """Else 32 lines of punctuation would be two hundred windows."""
    text = f"my friends\n{'. ' * 20}"
    assert places(text, tiny_bundle, max_length=16) == ["my friends"]


def test_lines_are_bounded(tiny_bundle: Bundle) -> None:
    text = "\n".join(f"hello {'you ' * (number % 5)}{'all ' * (number // 5)}" for number in range(30))
    assert len(places(text, tiny_bundle, windows=2)) == 2 * LINES_PER_WINDOW


@pytest.mark.parametrize("blank", ["\n", "\u200b", " "])
def test_blanks_before_them_hide_no_lines(tiny_bundle: Bundle, blank: str) -> None:
    text = blank * (2 * encoder(tiny_bundle).spec.most_characters) + "my friends\nawful people"
    assert "awful people" in places(text, tiny_bundle)


@pytest.mark.parametrize("changes", [{"lines": False}, {"padding": "max_length"}])
def test_a_bundle_can_do_without(tiny_bundle: Bundle, changes: dict[str, object]) -> None:
    assert places("my friends\nawful people", tiny_bundle) == ["my friends", "awful people"]
    assert places("my friends\nawful people", tiny_bundle, **changes) == []


def test_lines_in_another_language_are_not_read(tiny_bundle: Bundle) -> None:
    """They would be taken for misspelt words of this one."""
    text = "Buenos días a todos, ¿cómo están ustedes?\nEl gato negro es muy bonito y duerme en la cocina de mi casa"
    english = TextEncoder(tiny_bundle.tokenizer, tiny_bundle.manifest.text, ("en",))
    tokens = english.encode([(text, "")])[0]
    assert tokens.language == "es"
    assert not any(window.line for window in tokens.windows)
