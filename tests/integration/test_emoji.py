"""A friendly emoji after a sentence changes little of what the bundled model says of it.

CONTENT WARNING: the hateful sentences are stereotypes and threats.
"""

from __future__ import annotations

from itertools import cycle
from typing import Final

from tests.integration.test_group_sentences import GROUPS, HARMLESS, HATEFUL

from crossguard.loading import load
from crossguard.records import Action

FRIENDLY: Final = "🤗😁💕🥳😀👌"


def flagged(texts: list[str]) -> int:
    marked = [f"{text} {emoji}" for text, emoji in zip(texts, cycle(FRIENDLY), strict=False)]
    with load("compact") as moderator:
        return sum(decision.action is not Action.ALLOW for decision in moderator.score(marked))


def test_harmless_sentences_about_groups_with_a_friendly_emoji() -> None:
    """Of 600, version 1.8.0 flags 142; without the emoji 67."""
    assert (
        flagged([line.replace("{group}", group) for line in HARMLESS.strip().splitlines() for group in GROUPS]) <= 155
    )


def test_stereotypes_and_threats_with_a_friendly_emoji() -> None:
    """Of 55, 50 are found without an emoji; 38 were with its name."""
    assert flagged(HATEFUL.strip().splitlines()) >= 45
