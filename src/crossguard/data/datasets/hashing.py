"""Perceptual hashes of images, and pairs that look alike.

Ours, because the package imagehash would bring PyWavelets and SciPy to everybody who prepares a table.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from PIL.Image import Image

SIDE: Final = 32
KEPT: Final = 8
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


def alike(hashes: Mapping[str, int]) -> Iterator[tuple[str, str]]:
    """Yields each pair of names whose hashes differ in at most `DISTANCE` bits, once."""
    bands: dict[tuple[int, int], list[str]] = defaultdict(list)
    for name, value in hashes.items():
        own = [(band, value >> (BITS * band) & (1 << BITS) - 1) for band in range(BANDS)]
        seen = {other for key in own for other in bands[key]}
        yield from ((other, name) for other in sorted(seen) if (hashes[other] ^ value).bit_count() <= DISTANCE)
        for key in own:
            bands[key].append(name)


def _cosines() -> NDArray[np.float64]:
    """The matrix of the discrete cosine transform (type II)."""
    place = np.arange(SIDE)
    return np.asarray(np.cos(np.pi / SIDE * (place[None] + 0.5) * place[:, None]))


_COSINES: Final = _cosines()
