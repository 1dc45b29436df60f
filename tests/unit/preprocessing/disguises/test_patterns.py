"""What counts as a letter, a word, a run and a disguise."""

from __future__ import annotations

import re

import pytest

from crossguard.preprocessing.disguises.patterns import EMOJI_WITHIN, LETTER, LONG_RUN, SIGN, SPACED, words_of


@pytest.mark.parametrize(
    ("text", "letter", "sign"), [("a", 1, 0), ("\u0436", 1, 0), ("7", 0, 0), ("_", 0, 1), ("-", 0, 1), (" ", 0, 0)]
)
def test_a_character_is_a_letter_a_sign_or_neither(text: str, letter: int, sign: int) -> None:
    assert len(re.findall(LETTER, text)) == letter
    assert len(re.findall(SIGN, text)) == sign


def test_words_are_runs_of_plain_letters() -> None:
    assert words_of("Don't STOP-me 2day, na\u00efve") == ["don", "t", "stop", "me", "day", "na", "ve"]
    assert words_of("") == []


@pytest.mark.parametrize(
    ("text", "found"),
    [("h a t e", ["h a t e"]), ("a b", []), ("I a m here", ["I a m"]), ("x h a t e", ["x h a t e"]), ("h-a-t-e", []),
     ("h  a  t  e   i  t", ["h  a  t  e"]), ("h a  t e", [])],
)  # fmt: skip
def test_letters_with_equal_gaps_between_them_are_spaced_out(text: str, found: list[str]) -> None:
    assert [match[0] for match in SPACED.finditer(text)] == found


def test_a_run_has_three_of_a_letter_in_one_case() -> None:
    assert LONG_RUN.search("sooo")
    assert not LONG_RUN.search("too")
    assert not LONG_RUN.search("oOo")
    assert not LONG_RUN.search("1000")


def test_a_letter_behind_four_symbols_is_within_emoji() -> None:
    assert EMOJI_WITHIN.search("\U0001f600" * 4 + "hi")
    assert EMOJI_WITHIN.search("a\U0001f600b\U0001f600c\u2764d\u2764 2 e")
    assert not EMOJI_WITHIN.search("\U0001f600" * 3 + "hi")
    assert not EMOJI_WITHIN.search("hi " + "\U0001f600" * 9)


def test_the_search_for_emoji_takes_one_pass() -> None:
    assert not EMOJI_WITHIN.search("a\U0001f600b" * 3 + "b" * 200_000)
