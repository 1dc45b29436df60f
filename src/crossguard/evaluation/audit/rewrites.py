"""Rewrites of a text that a person still reads: pure functions of the text and a source of randomness."""

# ruff: noqa: D103 - the registry in evasion.py describes each of them

from __future__ import annotations

import itertools
import re
from collections.abc import Callable
from random import Random
from typing import TypeAlias

from crossguard.evaluation.audit import alphabets

Rewrite: TypeAlias = Callable[[str, Random], str]

_WORD = re.compile(r"[^\W\d_]+")
VOWELS = "aeiouAEIOU"
_NEIGHBOURS = dict(zip("abcdefghijklmnopqrstuvwxyz", "svxfwdhjukjknmpowtdrhbeztx", strict=True))
_SOUNDS = (("ph", "f"), ("ck", "k"), ("c", "k"), ("ea", "ee"), ("ght", "t"), ("er", "a"), ("oo", "u"), ("x", "ks"))
_HARMLESS_WORDS = (
    "garden window breakfast river bicycle weather coffee library music mountain kitchen train holiday "
    "picture bread evening story market summer blanket recipe football harbour sunshine"
)
HARMLESS_WORDS = _HARMLESS_WORDS.split()
_HARMLESS_STORY = (
    "Yesterday we walked along the river and looked at the boats in the harbour. The weather was mild, so we sat down "
    "outside a small bakery and shared a slice of apple cake. My sister told us about her new job at the library, "
    "where she reads stories to children on Wednesday afternoons. Later we bought fresh bread and tomatoes at the "
    "market, went home and cooked soup for everybody. In the evening we watched an old film about a train journey. "
)
EMOJI = "😀🌻🎈🍀🐢🚲☕🎵"
LINK = "https://example.org/"
BLANKS = 2304
SHORT, LONG = 3, 4


def per_word(change: Callable[[str, Random], str], least: int = 2) -> Rewrite:
    """Changes every word of at least so many letters."""
    return lambda text, random: _WORD.sub(lambda m: change(m[0], random) if len(m[0]) >= least else m[0], text)


def per_letter(change: Callable[[str], str]) -> Rewrite:
    return lambda text, _: "".join(change(c) if c.isalpha() else c for c in text)


def table(table: alphabets.Table) -> Rewrite:
    return lambda text, _: text.translate(table)


def one_letter(table: alphabets.Table) -> Rewrite:
    """Replaces one letter of every word."""

    def change(word: str, random: Random) -> str:
        places = [i for i, c in enumerate(word) if ord(c) in table]
        place = random.choice(places) if places else -1
        return "".join(c.translate(table) if i == place else c for i, c in enumerate(word))

    return per_word(change)


def between(sign: str, words: str | None = None) -> Rewrite:
    """Sets a sign between the letters of every word, and something wider between words where it would look alike."""

    def rewrite(text: str, _: Random) -> str:
        spaced = text if words is None else re.sub(r"\s+", words, text)
        return _WORD.sub(lambda match: sign.join(match[0]), spaced)

    return rewrite


def once(sign: str) -> Rewrite:
    """Sets a sign at one place in every word."""

    def change(word: str, random: Random) -> str:
        at = random.randrange(1, len(word))
        return word[:at] + sign + word[at:]

    return per_word(change, SHORT)


def hide(pick: Callable[[str], bool], sign: str) -> Rewrite:
    """Hides the first inner letter that is picked in every word."""

    def change(word: str, _: Random) -> str:
        at = next((i for i in range(1, len(word)) if pick(word[i])), 1)
        return word[:at] + sign + word[at + 1 :]

    return per_word(change, SHORT)


def swap(word: str, random: Random) -> str:
    at = random.randrange(1, len(word) - 2)
    return word[:at] + word[at + 1] + word[at] + word[at + 2 :]


def shuffle(word: str, random: Random) -> str:
    inner = list(word[1:-1])
    random.shuffle(inner)
    return word[0] + "".join(inner) + word[-1]


def delete(word: str, random: Random) -> str:
    at = random.randrange(1, len(word) - 1)
    return word[:at] + word[at + 1 :]


def slip(word: str, random: Random) -> str:
    at = random.randrange(1, len(word))
    return word[:at] + _NEIGHBOURS.get(word[at].lower(), word[at]) + word[at + 1 :]


def insert(word: str, random: Random) -> str:
    at = random.randrange(1, len(word))
    return word[:at] + random.choice(alphabets.LOWER) + word[at:]


def by_sound(word: str, _: Random) -> str:
    for spelling, sound in _SOUNDS:
        word = re.sub(spelling, sound, word, flags=re.IGNORECASE)
    return word


def piled_marks(text: str, random: Random) -> str:
    def pile() -> str:
        return "".join(chr(random.randrange(0x300, 0x316)) for _ in range(3))

    return "".join(c + pile() if c.isalpha() else c for c in text)


def joined(text: str, sign: str, *, camel: bool = False) -> str:
    words = text.split()
    return sign.join(word[:1].upper() + word[1:] for word in words) if camel else sign.join(words)


def mention(random: Random) -> str:
    return f"@{random.choice(HARMLESS_WORDS)}{random.randrange(100)}"


def mentions_before(text: str, random: Random) -> str:
    return " ".join([*(mention(random) for _ in range(5)), text])


def mentions_between(text: str, random: Random) -> str:
    return " ".join(f"{mention(random)} {word}" if place % 2 == 0 else word for place, word in enumerate(text.split()))


def link(random: Random) -> str:
    return f"{LINK}{random.randrange(10**6)}"


def words(count: int, random: Random) -> str:
    return " ".join(random.choice(HARMLESS_WORDS) for _ in range(count))


def story(count: int) -> str:
    return " ".join(itertools.islice(itertools.cycle(_HARMLESS_STORY.split()), count))
