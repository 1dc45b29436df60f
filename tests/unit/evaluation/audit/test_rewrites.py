"""Rewrites: what each changes, and what it leaves."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossguard.evaluation.audit import alphabets, rewrites


def rewritten(rewrite: rewrites.Rewrite, text: str, seed: int = 0) -> str:
    return rewrite(text, Random(seed))  # noqa: S311 - no secret depends on it


@pytest.mark.parametrize(
    ("rewrite", "text", "expected"),
    [
        (rewrites.between("-"), "you are", "y-o-u a-r-e"),
        (rewrites.between(" ", "   "), "you are", "y o u   a r e"),
        (rewrites.table(alphabets.twins("aeio", "4310")), "Move it", "M0v3 1t"),
        (rewrites.hide(rewrites.VOWELS.__contains__, "*"), "people in", "p*ople in"),
        (rewrites.per_letter(lambda letter: letter * 2), "a1b", "aa1bb"),
        (rewrites.per_word(lambda word, _: word[::-1], 3), "go away", "go yawa"),
        (rewrites.table(alphabets.FULLWIDTH), "ab!", "\uff41\uff42!"),
        (rewrites.per_word(rewrites.by_sound), "phone book", "fone buk"),
    ],
)
def test_each_rewrite_changes_what_it_says(rewrite: rewrites.Rewrite, text: str, expected: str) -> None:
    assert rewritten(rewrite, text) == expected


@given(st.text("abcdefgh ", min_size=1), st.integers(0, 9))
def test_swapping_and_shuffling_keep_the_letters_of_every_word(text: str, seed: int) -> None:
    for change in (rewrites.swap, rewrites.shuffle):
        changed = rewritten(rewrites.per_word(change, rewrites.LONG), text, seed)
        assert list(map(sorted, changed.split())) == list(map(sorted, text.split()))


@given(st.text("abcdefgh", min_size=4, max_size=12), st.integers(0, 9))
def test_one_letter_is_lost_added_or_slipped(word: str, seed: int) -> None:
    random = Random(seed)  # noqa: S311 - no secret depends on it
    assert len(rewrites.delete(word, random)) == len(word) - 1
    assert len(rewrites.insert(word, random)) == len(word) + 1
    slipped = rewrites.slip(word, random)
    assert sum(a != b for a, b in zip(word, slipped, strict=True)) == 1
    assert slipped[0] == word[0]


def test_one_twin_per_word_where_there_is_one() -> None:
    twins = rewrites.one_letter(alphabets.CYRILLIC)
    changed = rewritten(twins, "peace now fun")
    assert [sum(not c.isascii() for c in word) for word in changed.split()] == [1, 1, 0]
    assert rewritten(twins, "peace", 1) == rewritten(twins, "peace", 1)
