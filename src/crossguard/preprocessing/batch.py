"""Prepared posts to one `Batch`, with identical texts and identical pictures stored once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from crossguard.preprocessing.text import TextSpec, pad
from crossguard.records import Batch

SAMPLED: Final = 16
# Engines compile for each length that they meet and keep what they compiled: few lengths keep memory flat.
LENGTH_STEP: Final = 8


@dataclass(frozen=True, slots=True, eq=False)
class Prepared:
    """One post, ready to be put into a batch.

    Attributes:
        id: The id of the post.
        token_ids: Not padded; empty when there is no text.
        frames: uint8 pixels, (height, width, 3) each; empty when there is no image.
        notes: What a reader of the decision should know.
    """

    id: str
    token_ids: tuple[int, ...]
    frames: tuple[NDArray[np.uint8], ...]
    notes: tuple[str, ...] = ()


def collate(posts: Sequence[Prepared], spec: TextSpec, image_size: int) -> tuple[Batch, NDArray[np.int64]]:
    """Builds a batch with one row per post and frame.

    Args:
        posts: Each has text, frames or both.
        spec: How to pad.
        image_size: Height and width of every frame, needed when no post has one.

    Returns:
        The batch of n rows, and int64 (n,): which post each row belongs to, never decreasing.
    """
    texts: dict[tuple[int, ...], int] = {}
    images: dict[bytes, list[int]] = {}
    pixels: list[NDArray[np.uint8]] = []
    rows: list[tuple[int, int, int]] = []
    for owner, post in enumerate(posts):
        text = texts.setdefault(post.token_ids, len(texts)) if post.token_ids else -1
        frames = {_place(frame, images, pixels): None for frame in post.frames} or {-1: None}
        rows.extend((owner, text, frame) for frame in frames)
    token_ids, mask = pad(list(texts), spec, LENGTH_STEP)
    table = np.array(rows, dtype=np.int64).reshape(-1, 3)
    stacked = np.stack(pixels) if pixels else np.zeros((0, image_size, image_size, 3), dtype=np.uint8)
    return Batch(token_ids, mask, stacked, table[:, 1], table[:, 2]), table[:, 0]


def _place(frame: NDArray[np.uint8], images: dict[bytes, list[int]], pixels: list[NDArray[np.uint8]]) -> int:
    """Returns the row of a frame in `pixels`, adding it when it is new."""
    # Few pixels tell most pictures apart, and only those that agree in them are compared in whole.
    alike = images.setdefault(frame[::SAMPLED, ::SAMPLED].tobytes(), [])
    for row in alike:
        if np.array_equal(pixels[row], frame):
            return row
    alike.append(len(pixels))
    pixels.append(frame)
    return len(pixels) - 1
