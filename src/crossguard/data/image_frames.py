"""Which frames of an animation are looked at: those that differ most, wherever they stand."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from PIL import Image, ImageChops, ImageStat

_SIGNATURE: Final = (32, 32)


class FrameChoice:
    """Chooses among frames that come one by one, and holds no more than it returns and one.

    Of `wanted + 1` frames, one of the two that are most alike is dropped: so a frame that is dropped is near a frame
    that stays, and one that differs from all others stays, however short it is shown.

    Attributes:
        frames: Those that were chosen, in their order.
        left_out: Whether a frame was dropped that equals none of those that stay.
    """

    def __init__(self, wanted: int, shaped: Callable[[Image.Image], Image.Image]) -> None:
        self._wanted = wanted
        self._shaped = shaped
        self.frames: list[Image.Image] = []
        self._signatures: list[Image.Image] = []
        self._distances: list[list[float]] = []
        self.left_out = False

    def offer(self, frame: Image.Image) -> None:
        """Takes the next frame, and shapes it if it stays."""
        signature = frame.resize(_SIGNATURE, Image.Resampling.BOX)
        distances = [_distance(signature, other) for other in self._signatures]
        if 0.0 in distances:
            return
        self.frames.append(self._shaped(frame))
        self._signatures.append(signature)
        for row, distance in zip(self._distances, distances, strict=True):
            row.append(distance)
        self._distances.append([*distances, float("inf")])
        if len(self.frames) > self._wanted:
            self._drop()

    def _drop(self) -> None:
        """Drops the frame that stands nearest to another; of the two, the one whose next neighbour is nearer."""
        nearest = [sorted(row)[:2] for row in self._distances]
        dropped = min(range(len(nearest)), key=nearest.__getitem__)
        self.left_out = True
        del self.frames[dropped], self._signatures[dropped], self._distances[dropped]
        for row in self._distances:
            del row[dropped]


def _distance(one: Image.Image, other: Image.Image) -> float:
    """Sum of squared differences over all pixels and channels: a small change that is strong counts, too."""
    return float(sum(ImageStat.Stat(ImageChops.difference(one, other)).sum2))
