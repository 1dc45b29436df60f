"""A friendly emoji after a sentence changes little of what the bundled model says of it.

CONTENT WARNING: the hateful sentences are stereotypes and threats.
"""

from __future__ import annotations

from itertools import cycle
from typing import Final

from tests.integration.test_group_sentences import HARMLESS, HATEFUL, about_each_group, flagged

FRIENDLY: Final = "🤗😁💕🥳😀👌"


def marked(texts: list[str]) -> list[str]:
    return [f"{text} {emoji}" for text, emoji in zip(texts, cycle(FRIENDLY), strict=False)]


def test_harmless_sentences_about_groups_with_a_friendly_emoji() -> None:
    """Of 600, 67 are flagged without an emoji; 142 were with its name, as "party popper"."""
    assert flagged(marked(about_each_group(HARMLESS))) <= 90


def test_stereotypes_and_threats_with_a_friendly_emoji() -> None:
    """Of 55, 50 are found without an emoji; 38 were with its name."""
    assert flagged(marked(HATEFUL.strip().splitlines())) >= 45
