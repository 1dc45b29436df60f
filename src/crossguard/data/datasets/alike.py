"""Which images of a dataset are copies of each other, resized or compressed anew, by a perceptual hash of each."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from crossguard.data.images import decode

if TYPE_CHECKING:
    from PIL.Image import Image

# Images are decoded no larger than is needed for this.
HASH_SIZE: Final = 64
# Of perceptual hashes, which are ours because imagehash would bring PyWavelets and SciPy to whoever prepares a table.
SIDE: Final = 32
KEPT: Final = 8
# The matrix of the discrete cosine transform (type II).
_COSINES: Final = np.cos(np.pi / SIDE * (np.arange(SIDE) + 0.5) * np.arange(SIDE)[:, None])
# Two hashes that differ in at most this many of 64 bits agree in at least one of four 16-bit bands.
DISTANCE: Final = 3
BANDS: Final = 4
BITS: Final = 16


def perceptual_hash(image: Image) -> int:
    """Returns 64 bits of the low frequencies of an image (pHash): alike for copies, resized or compressed."""
    grey = np.asarray(image.convert("L").resize((SIDE, SIDE)), dtype=np.float64)
    low = (_COSINES @ grey @ _COSINES.T)[:KEPT, :KEPT].reshape(-1)
    bits = low > np.median(low[1:])  # the first is the mean brightness
    return int("".join("1" if bit else "0" for bit in bits), 2)


def hash_of_file(path: Path) -> int:
    """Returns the `perceptual_hash` of an image, or of the first frame of an animation.

    Raises:
        ImageError: It cannot be read.
    """
    return perceptual_hash(decode(path, size_hint=HASH_SIZE, frames=1)[0])


class Hashes:
    """Different hashes of images, among which those of copies are found without a look at all of them."""

    def __init__(self) -> None:
        self._bands: dict[tuple[int, int], list[int]] = defaultdict(list)

    def add(self, value: int) -> None:
        """Takes a hash that it does not hold yet."""
        for band in _bands(value):
            self._bands[band].append(value)

    def near(self, value: int) -> set[int]:
        """Returns the hashes that are at most `DISTANCE` bits from this one."""
        seen = {other for band in _bands(value) for other in self._bands.get(band, ())}
        return {other for other in seen if (other ^ value).bit_count() <= DISTANCE}


def _bands(value: int) -> list[tuple[int, int]]:
    return [(band, value >> (BITS * band) & (1 << BITS) - 1) for band in range(BANDS)]


def alike(hashes: Mapping[int, int]) -> Iterator[tuple[int, int]]:
    """Yields each row with an earlier one of its hash, and first rows of hashes at most `DISTANCE` bits apart."""
    first: dict[int, int] = {}
    different = Hashes()
    for name, value in hashes.items():
        if first.setdefault(value, name) != name:
            yield first[value], name
            continue
        yield from ((other, name) for other in sorted(first[near] for near in different.near(value)))
        different.add(value)
