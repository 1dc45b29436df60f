"""A key that near-duplicates share: the same words after what spammers vary is taken away, and the same image."""

from __future__ import annotations

import hashlib
import io
import re
import unicodedata
from collections.abc import Sequence

import numpy as np
from PIL import Image

_LINKS = re.compile(r"https?://\S+|www\.\S+|@\w+")
_REPEATS = re.compile(r"(.)\1+")
_HASH_SIZE = 8


def likeness(text: str, jpegs: Sequence[bytes]) -> str | None:
    """Returns the key of a post; None where there is nothing to compare.

    Case, accents, links, mentions, digits, signs and repeated letters of the text do not count; an image counts by
    a difference hash of 8 x 8 (N. Krawetz, "Kind of like that", 2013), which survives scaling and recompression.
    """
    words = _words(text)
    if not words and not jpegs:
        return None
    digest = hashlib.sha256(words.encode())
    for jpeg in jpegs:
        digest.update(_difference_hash(jpeg))
    return digest.hexdigest()


def _words(text: str) -> str:
    plain = unicodedata.normalize("NFKD", _LINKS.sub(" ", text)).casefold()
    letters = "".join(
        character if character.isalpha() else " " for character in plain if not unicodedata.combining(character)
    )
    return _REPEATS.sub(r"\1", " ".join(letters.split()))


def _difference_hash(jpeg: bytes) -> bytes:
    with Image.open(io.BytesIO(jpeg)) as image:
        small = image.convert("L").resize((_HASH_SIZE + 1, _HASH_SIZE), Image.Resampling.BOX)
    levels = np.asarray(small, dtype=np.int16)
    return np.packbits(levels[:, 1:] > levels[:, :-1]).tobytes()
