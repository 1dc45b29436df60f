"""What the bundled model says of posts that it was not taught, by a hand that had not seen its sentences.

CONTENT WARNING: half of `held_out_posts.tsv` is hateful. Never train or choose thresholds on it.
The bounds are near what version 1.8.0 does, so that a model which forgets is noticed; they are no aims.
"""

from __future__ import annotations

import csv
from collections import Counter
from pathlib import Path
from typing import Final

import pytest

from crossguard.loading import load
from crossguard.records import Action

POSTS: Final = Path(__file__).with_name("held_out_posts.tsv")
# How many of each hateful kind are flagged, at least; what version 1.8.0 flags is in the comment.
LEAST: Final = {
    "implied": 14,  # 18 of 120
    "emoji_hate": 25,  # 28 of 40
    "slogan": 36,  # 41 of 80
    "dehumanise_they": 25,  # 29 of 60
    "endorse": 27,  # 31 of 60
    "obvious": 54,  # 58 of 60
}
# How many of each harmless kind, at most.
MOST: Final = {
    "harmless_form": 16,  # 12 of 120
    "harmless_group": 4,  # 1 of 80
    "everyday": 3,  # 1 of 60
    "emoji_harmless": 4,  # 2 of 40
    "slogan_harmless": 2,  # 0 of 80
    "they_harmless": 5,  # 3 of 60
    "report": 5,  # 2 of 60
    "self": 11,  # 8 of 60
}


@pytest.fixture(scope="module")
def flagged() -> Counter[str]:
    """How many posts of each kind are not allowed."""
    with POSTS.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    assert {row["kind"] for row in rows} == {*LEAST, *MOST}
    with load("compact") as moderator:
        decisions = moderator.score([row["text"] for row in rows])
    return Counter(row["kind"] for row, each in zip(rows, decisions, strict=True) if each.action is not Action.ALLOW)


@pytest.mark.parametrize("kind", LEAST)
def test_hateful_posts_are_found_as_before(flagged: Counter[str], kind: str) -> None:
    assert flagged[kind] >= LEAST[kind]


@pytest.mark.parametrize("kind", MOST)
def test_harmless_posts_are_left_alone_as_before(flagged: Counter[str], kind: str) -> None:
    assert flagged[kind] <= MOST[kind]
