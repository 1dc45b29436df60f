"""A friendly emoji after a sentence, or a bullet before it, changes little of what the bundled model says of it.

CONTENT WARNING: the hateful sentences are stereotypes and threats.
"""

from __future__ import annotations

from itertools import cycle
from typing import Final

from tests.integration.test_group_sentences import HARMLESS, HATEFUL, about_each_group, flagged

FRIENDLY: Final = "🤗😁💕🥳😀👌"
BULLETS: Final = "●■▪○★☆✦➤👉"


def marked(texts: list[str]) -> list[str]:
    return [f"{text} {emoji}" for text, emoji in zip(texts, cycle(FRIENDLY), strict=False)]


def itemised(texts: list[str]) -> list[str]:
    return [f"{sign} {text}" for text, sign in zip(texts, cycle(BULLETS), strict=False)]


def test_harmless_sentences_about_groups_with_a_friendly_emoji() -> None:
    """Of 600, 67 are flagged without an emoji; 142 were with its name, as "party popper"."""
    assert flagged(marked(about_each_group(HARMLESS))) <= 90


def test_stereotypes_and_threats_with_a_friendly_emoji() -> None:
    """Of 55, 50 are found without an emoji; 38 were with its name."""
    assert flagged(marked(HATEFUL.strip().splitlines())) >= 45


def test_harmless_sentences_about_groups_with_a_bullet() -> None:
    """Of 600, 67 are flagged without one; 202 were with its name, as "black circle"."""
    assert flagged(itemised(about_each_group(HARMLESS))) <= 80


def test_stereotypes_and_threats_with_a_bullet() -> None:
    """Of 55, 50 are found without one."""
    assert flagged(itemised(HATEFUL.strip().splitlines())) >= 45
