from __future__ import annotations

import pytest

from crossguard.preprocessing.disguises.lexicon import Lexicon
from crossguard.preprocessing.disguises.signs import joined, spelt, without_signs


def test_letters_set_apart_are_joined_and_an_abbreviation_stays(words: Lexicon) -> None:
    assert joined("g.o.o.d m.o.r.n.i.n.g", words) == "good morning"
    assert joined("g o o d m o r n i n g", words) == "good morning"
    assert joined("g  o  o  d   m\u201d\u201co\u201d\u201cr..n--i__n++g", words) == "good   morning"
    assert joined("the U.S. at 5 p.m.", words) == "the U.S. at 5 p.m."


def test_signs_leave_words_and_compounds_stay(words: Lexicon) -> None:
    assert without_signs("go*od mor-ning", words) == "good morning"
    assert without_signs("sister-in-law and/or f(x)", words) == "sister-in-law and/or f(x)"


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("g00d m0rn1ng", "good morning"),
        ("meet at 10 for $15", "meet at 10 for $15"),
        ("the 2nd h2o mp3", "the 2nd h2o mp3"),
        ("c4ll m3 t0n1ght b3f0r3 10 0r 88", "call me tonight before 10 or 88"),
        ("w3 411 g0 70 dr34m l4nd", "we all go to dream land"),
    ],
)
def test_digits_are_read_as_letters_where_they_make_words(words: Lexicon, written: str, said: str) -> None:
    assert spelt(written, words) == said
