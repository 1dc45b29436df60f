"""What makes posts near-duplicates: nearly the same words after what spammers vary is taken away, and the same images.

Words are compared by the Jaccard index of their runs of characters, images by a difference hash (N. Krawetz, "Kind of
like that", 2013). Bands of a MinHash (A. Broder 1997), or of the first image's hash, find whom to compare a post with.
"""

from __future__ import annotations

import hashlib
import io
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

LEAST_JACCARD: Final = 0.7
MOST_BITS: Final = 16
"""Of the 256 bits of an image's hash that may differ; scaling and recompression change fewer."""
LEAST_SET: Final = 3
"""How many bits that are set in either hash come to one that differs, at least: few are set where little is shown."""
FEWEST_BITS: Final = 16
"""Where fewer are set, as in a hash of one word on white, it says too little to tell images apart."""
_BANDS: Final = 8
_ROWS: Final = 4
_RUN: Final = 4
_FACTOR: Final = np.uint64(0x9E3779B97F4A7C15)
_HASH_SIZE: Final = 16
_IMAGE_BAND: Final = 2
_LINKS: Final = re.compile(r"https?://\S+|www\.\S+|@\w+")
_LETTERS: Final = re.compile(r"[^\W\d_]+")
_REPEATS: Final = re.compile(r"(.)\1+")
_MARKS: Final = frozenset({"Mn", "Me", "Cf"})
"""Accents, and what cannot be seen: variation selectors, soft hyphens, and spaces of no width."""
_DRAWN: Final = np.random.default_rng(0).integers(0, 2**63, size=(2, _BANDS * _ROWS, 1), dtype=np.uint64)


@dataclass(frozen=True)
class Likeness:
    """A post as it is compared with others."""

    words: str  # its words without case, accents, what cannot be seen, links, mentions, digits, signs, repeated letters
    images: tuple[bytes, ...] = ()  # hashes of its images, 32 bytes each

    @cached_property
    def key(self) -> str:
        """Equal for posts with the same words and the same hashes."""
        return hashlib.sha256(b"".join([self.words.encode(), b"\0", *self.images])).hexdigest()

    @cached_property
    def runs(self) -> NDArray[np.uint64]:
        """Hashes of all runs of four characters, sorted, each once."""
        codes = np.frombuffer(f" {self.words:<{_RUN}} ".encode("utf-32-le"), dtype="<u4").astype(np.uint64)
        runs = np.zeros(len(codes) - _RUN + 1, dtype=np.uint64)
        for place in range(_RUN):
            runs = (runs + codes[place : place + len(runs)]) * _FACTOR
        return np.unique(runs)

    @cached_property
    def bands(self) -> list[int]:
        """Near-duplicates share at least one of them: 98 of 100 pairs with a Jaccard index of 0.8 do."""
        if self.words:
            factor, offset = _DRAWN
            least = (((factor | np.uint64(1)) * self.runs + offset) >> np.uint64(32)).min(axis=1)
            signature, size = least.astype("<u4").tobytes(), 4 * _ROWS
        else:
            signature, size = self.images[0], _IMAGE_BAND
        return [_band(start, signature[start : start + size]) for start in range(0, len(signature), size)]

    def near(self, other: Likeness) -> bool:
        """Whether two posts are near-duplicates."""
        if len(self.images) != len(other.images) or bool(self.words) != bool(other.words):
            return False
        shared = len(np.intersect1d(self.runs, other.runs, assume_unique=True))
        if self.words and shared < LEAST_JACCARD * (len(self.runs) + len(other.runs) - shared):
            return False
        return all(map(_look_alike, self.images, other.images))


def describe(text: str, images: Sequence[bytes]) -> Likeness | None:
    """Returns what a post is compared by, all words and the `image_hash` of each image; None where there is nothing."""
    found = Likeness(_words(text), tuple(images))
    return found if found.words or found.images else None


def image_hash(jpeg: bytes) -> bytes:
    """Returns the difference hash of an image: 256 bits, which is darker of two neighbours on a grid.

    Of an image with hardly anything on it, it is the digest of the file instead, which only the same file shares.
    """
    with Image.open(io.BytesIO(jpeg)) as image:
        small = image.convert("L").resize((_HASH_SIZE + 1, _HASH_SIZE), Image.Resampling.BOX)
    levels = np.asarray(small, dtype=np.int16)
    lighter = levels[:, 1:] > levels[:, :-1]
    return np.packbits(lighter).tobytes() if lighter.sum() >= FEWEST_BITS else hashlib.sha256(jpeg).digest()


def _words(text: str) -> str:
    plain = unicodedata.normalize("NFKD", _LINKS.sub(" ", text)).casefold()
    if not plain.isascii():
        plain = "".join(character for character in plain if unicodedata.category(character) not in _MARKS)
    return _REPEATS.sub(r"\1", " ".join(_LETTERS.findall(plain)))


def _band(place: int, part: bytes) -> int:
    """Returns a number of 63 bits, which both databases can index."""
    return int.from_bytes(hashlib.blake2b(bytes([place]) + part, digest_size=8).digest()) >> 1


def _look_alike(first: bytes, second: bytes) -> bool:
    one, other = int.from_bytes(first), int.from_bytes(second)
    distance = (one ^ other).bit_count()
    return distance <= MOST_BITS and LEAST_SET * distance <= (one | other).bit_count()
