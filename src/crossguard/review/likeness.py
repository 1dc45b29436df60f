"""What makes posts near-duplicates: nearly the same words after what spammers vary is taken away, and the same images.

Words are compared by the Jaccard index of their runs of characters, images by a difference hash (N. Krawetz, "Kind of
like that", 2013). Bands of a MinHash (A. Broder 1997), or of the first image's hash, find whom to compare a post with.
"""

from __future__ import annotations

import hashlib
import io
import re
import unicodedata
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
from PIL import Image

LEAST_JACCARD: Final = 0.7
MOST_BITS: Final = 16
"""Of the 256 bits of an image's hash that may differ; scaling and recompression change fewer."""
BANDS: Final = 8
_ROWS: Final = 4
_RUN: Final = 4
_HASH_SIZE: Final = 16
_LINKS: Final = re.compile(r"https?://\S+|www\.\S+|@\w+")
_REPEATS: Final = re.compile(r"(.)\1+")
_DRAWN: Final = np.random.default_rng(0).integers(0, 2**63, size=(2, BANDS * _ROWS, 1), dtype=np.uint64)


@dataclass(frozen=True)
class Likeness:
    """A post as it is compared with others.

    Attributes:
        words: Its words without case, accents, links, mentions, digits, signs and repeated letters.
        images: Hashes of its images, 32 bytes each.
    """

    words: str
    images: tuple[bytes, ...] = ()

    @cached_property
    def key(self) -> str:
        """Equal for posts with the same words and the same hashes."""
        return hashlib.sha256(b"".join([self.words.encode(), b"\0", *self.images])).hexdigest()

    @cached_property
    def runs(self) -> frozenset[int]:
        """Checksums of all runs of four characters."""
        encoded = f" {self.words} ".encode("utf-32-le")
        size = 4 * _RUN
        return frozenset(zlib.crc32(encoded[i : i + size]) for i in range(0, max(len(encoded) - size, 0) + 1, 4))

    @property
    def bands(self) -> list[int]:
        """Near-duplicates share at least one of them, but for about one pair in a hundred."""
        if self.words:
            factor, offset = _DRAWN
            runs = np.fromiter(self.runs, dtype=np.uint64)
            least = ((factor | np.uint64(1)) * runs + offset >> np.uint64(32)).min(axis=1)
            parts = np.split(least.astype(">u4"), BANDS)
        else:
            parts = np.split(np.frombuffer(self.images[0], dtype=">u2"), _HASH_SIZE)
        return [_band(index, part.tobytes()) for index, part in enumerate(parts)]

    def near(self, other: Likeness) -> bool:
        """Whether two posts are near-duplicates."""
        if len(self.images) != len(other.images) or bool(self.words) != bool(other.words):
            return False
        if self.words and len(self.runs & other.runs) < LEAST_JACCARD * len(self.runs | other.runs):
            return False
        return all(_distance(a, b) <= MOST_BITS for a, b in zip(self.images, other.images, strict=True))


def describe(text: str, images: Sequence[bytes]) -> Likeness | None:
    """Returns what a post is compared by; None where there is nothing to compare.

    Args:
        text: All of its words.
        images: `image_hash` of each of its images.
    """
    found = Likeness(_words(text), tuple(images))
    return found if found.words or found.images else None


def image_hash(jpeg: bytes) -> bytes:
    """Returns the difference hash of an image: 256 bits, which is darker of two neighbours on a grid."""
    with Image.open(io.BytesIO(jpeg)) as image:
        small = image.convert("L").resize((_HASH_SIZE + 1, _HASH_SIZE), Image.Resampling.BOX)
    levels = np.asarray(small, dtype=np.int16)
    return np.packbits(levels[:, 1:] > levels[:, :-1]).tobytes()


def _words(text: str) -> str:
    plain = unicodedata.normalize("NFKD", _LINKS.sub(" ", text)).casefold()
    letters = "".join(
        character if character.isalpha() else " " for character in plain if not unicodedata.combining(character)
    )
    return _REPEATS.sub(r"\1", " ".join(letters.split()))


def _band(index: int, part: bytes) -> int:
    """Returns a signed number of 63 bits, which both databases can index."""
    return int.from_bytes(hashlib.blake2b(bytes([index]) + part, digest_size=8).digest()) >> 1


def _distance(first: bytes, second: bytes) -> int:
    return (int.from_bytes(first) ^ int.from_bytes(second)).bit_count()
