"""What a disguised word can have been, by the words that a tokenizer knows."""

from __future__ import annotations

from itertools import product
from string import ascii_lowercase

import pytest

from crossguard.preprocessing.disguises.lexicon import MOST_LETTERS, Lexicon, variants

WORDS = ("the", "you", "are", "house", "women", "walk", "a", "x", "river", "rover")
LEXICON = Lexicon({word: rank for rank, word in enumerate(WORDS)}, slang=("finna",))


@pytest.mark.parametrize(
    ("token", "whole"),
    [("river</w>", True), ("\u2581river", True), ("\u0120river", True), ("riv", False), ("River</w>", True)],
)
def test_whole_words_are_those_that_the_tokenizer_marks(token: str, whole: bool) -> None:
    # One marked token says how this tokenizer marks.
    mark = next((mark for mark in ("</w>", "\u2581", "\u0120") if mark in token), "</w>")
    assert ("river" in Lexicon({token: 0, f"other{mark}": 1})) is whole


def test_single_letters_are_words_only_where_they_are_ones() -> None:
    assert "a" in LEXICON
    assert "x" not in LEXICON


@pytest.mark.parametrize("form", ["walks", "walked", "walking", "houses", "river"])
def test_inflected_words_are_known_by_their_stems(form: str) -> None:
    assert form in LEXICON
    assert "th" not in LEXICON


@pytest.mark.parametrize("form", ["houseed", "areed", "walkd", "walkss", "houss"])
def test_no_word_takes_an_ending_that_it_cannot_have(form: str) -> None:
    known = Lexicon({"house": 0, "are": 1, "walk": 2, "walks": 3, "houses": 4})
    assert form not in known


def test_a_word_goes_before_an_inflected_one() -> None:
    known = Lexicon({"walk": 0, **{f"filler{letter}": rank for rank, letter in enumerate("abcdefgh", 1)}, "wall": 99})
    assert known.best(["walks", "wall"]) == "wall"
    assert known.best(["walks", "wolks"]) == "walks"


def test_of_words_that_are_as_frequent_those_that_people_hide_come_first() -> None:
    known = Lexicon({"house": 0}, ("splc",), ("spic",))
    assert known.best(["splc", "spic"]) == "spic"


def test_a_word_without_end_is_not_looked_up() -> None:
    assert "walk" * MOST_LETTERS not in LEXICON
    assert LEXICON.correct("w" * (MOST_LETTERS + 1)) is None


def test_frequent_words_are_common_and_slang_is_not() -> None:
    words = map("".join, product(ascii_lowercase, repeat=3))
    large = Lexicon({word: rank for rank, word in enumerate(words)}, slang=("zzzzz",))
    assert large.common("aaa")
    assert not large.common("zzz")
    assert not large.common("zzzzz")
    assert "zzzzz" in large


@pytest.mark.parametrize(
    ("letters", "words"),
    [("youarethehouse", ["you", "are", "the", "house"]), ("walkriver", ["walk", "river"]), ("qqqqqqqqthe", None)],
)
def test_letters_are_split_where_most_of_them_are_in_words(letters: str, words: list[str] | None) -> None:
    assert LEXICON.split(letters) == words


def test_one_word_is_no_split() -> None:
    assert LEXICON.split("house") is None


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("huose", "house"),  # two letters swapped
        ("hose", "house"),  # one left out
        ("houqse", "house"),  # one too many
        ("hoyse", "house"),  # a neighbour on the keyboard
        ("wemon", "women"),  # the inner letters in another order
        ("wmn", "women"),  # no vowels
        ("qqqqq", None),
    ],
)
def test_one_typing_error_is_undone(typed: str, meant: str | None) -> None:
    assert LEXICON.correct(typed) == meant


def test_of_several_words_the_most_frequent_is_taken() -> None:
    assert LEXICON.filled("r*ver") == "river"
    assert LEXICON.best(["rover", "river", "nothing"]) == "river"
    assert LEXICON.best(["nothing"]) is None


def test_the_share_of_known_letters() -> None:
    assert LEXICON.known([]) == 1.0
    assert LEXICON.known(["house", "qqqqq"]) == 0.5


def test_ambiguous_characters_are_tried_in_order_and_not_without_end() -> None:
    assert list(variants("1t", {"1": "il"})) == ["it", "lt"]
    assert len(list(variants("1" * 20, {"1": "il"}, most=10))) == 10


def test_words_are_found_in_letters_without_spaces(words: Lexicon) -> None:
    assert words.split("breadforallpeople") == ["bread", "for", "all", "people"]
    assert words.split("xqzjk") is None


def test_typing_errors_are_corrected(words: Lexicon) -> None:
    assert [words.correct(word) for word in ("freind", "peaple", "windwo")] == ["friend", "people", "window"]
    assert words.filled("br*ad") in {"broad", "bread"}
