from __future__ import annotations

from crossguard.preprocessing.disguises.lookalikes import SHAPES, UNSURE, unstyled


def test_no_letter_stands_for_two() -> None:
    looks = [look for looks in SHAPES.values() for look in looks]
    assert len(looks) == len(set(looks))
    assert not set(looks) & set(UNSURE)


def test_styled_letters_are_told_by_their_names() -> None:
    assert unstyled("\u1d00\U0001f171\u24d2\U0001d41d\u0247\u0192") == "aBcdef"
