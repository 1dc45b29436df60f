"""Prepared posts to one `Batch`, with identical texts and identical images stored once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from crossguard.preprocessing.text import TextSpec, pad
from crossguard.preprocessing.windows import Window
from crossguard.records import Batch, DecidingWindow, Logits, PostFailure

SAMPLED: Final = 16
LINE_MARGIN: Final = 0.75
"""By how much less the logits of a line count: short pieces of harmless posts ("Bloody Mary") are scored too high."""
READING_MARGIN: Final = 0.5
"""By how much higher the logits of a reading must be for it to be told as what decided, and not the written text."""
# Engines compile for each length that they meet and keep what they compiled: few lengths keep memory flat.
LENGTH_STEP: Final = 8
# Attention takes as long for 17 to 31 tokens as for 32, or longer: what is left of a vector is computed one by one.
ATTENTION_STEP: Final = 16


@dataclass(frozen=True, slots=True, eq=False)
class Prepared:
    """One post, ready to be put into a batch."""

    id: str  # the id of the post
    # What the text encoder sees: one window, several of a long text, or none when there is no text
    texts: tuple[Window, ...]
    frames: tuple[NDArray[np.uint8], ...]  # uint8 pixels, (height, width, 3) each; empty when there is no image
    notes: tuple[str, ...] = ()  # what a reader of the decision should know
    error: PostFailure | None = None  # why the post cannot be scored; then it has neither tokens nor frames
    # ISO 639 code of the text, `und` where it cannot be told; empty without text, or where nobody asked
    language: str = ""

    @classmethod
    def failed(cls, id_: str, error: PostFailure) -> Prepared:
        """Returns the place of a post that cannot be scored."""
        return cls(id_, (), (), error=error)

    @property
    def kind(self) -> Literal["text", "image", "both"]:
        """What the post has: words (its own or an image's), an image, or both."""
        if not self.frames:
            return "text"
        return "both" if self.texts else "image"

    def deciding(self, index: int) -> DecidingWindow | None:
        """Returns where a decision rests, given which text it is of; None where that is the whole text as written."""
        if len(self.texts) < 2 and not any(window.undisguised for window in self.texts):  # noqa: PLR2004
            return None
        window = self.texts[index]
        return DecidingWindow(index, len(self.texts), window.text, window.image_text, window.undisguised)


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """Where the n rows of a batch come from."""

    post: NDArray[np.int64]  # int64, (n,), which post each row belongs to, never decreasing
    text: NDArray[np.int64]  # int64, (n,), which of the post's texts it shows; -1 where there is none
    line: NDArray[np.bool_]  # bool, (n,), whether that is one line of several
    reading: NDArray[np.bool_]  # bool, (n,), whether that is not the text as written

    def highest(self, logits: Logits) -> Logits:
        """Returns one row per post: per output the highest over its rows, and which text that row shows.

        A line counts for `LINE_MARGIN` less than a whole text. Where a reading is hardly higher than a text as written,
        that is shown: people find it in the post.
        """
        starts = np.flatnonzero(np.diff(self.post, prepend=-1))
        rated = logits.values - LINE_MARGIN * self.line[:, None].astype(np.float32)
        values = np.maximum.reduceat(rated, starts)
        shown = rated - READING_MARGIN * self.reading[:, None].astype(np.float32)
        # The first text of a post, and where there are several rows the one of the highest.
        texts = np.repeat(self.text[starts, None], values.shape[1], axis=1)
        sizes = np.diff(starts, append=len(self.post))
        for post in np.flatnonzero(sizes > 1):
            rows = slice(starts[post], starts[post] + sizes[post])
            texts[post] = self.text[rows][shown[rows].argmax(axis=0)]
        return Logits(values, logits.text_weight[starts], texts)


def collate(posts: Sequence[Prepared], spec: TextSpec, image_size: int) -> tuple[Batch, Rows]:
    """Builds a batch with one row per text and frame of each post.

    Args:
        posts: Each has text, frames or both.
        spec: How to pad.
        image_size: Height and width of every frame, needed when no post has one.

    Returns:
        The batch of n rows, and where they come from.
    """
    texts: dict[tuple[int, ...], int] = {}
    images: dict[bytes, list[int]] = {}
    pixels: list[NDArray[np.uint8]] = []
    rows: list[tuple[int, int, int, int, bool, bool]] = []
    for owner, post in enumerate(posts):
        # Of windows or frames that are alike, the first is enough.
        own: dict[int, int] = {}
        for place, window in enumerate(post.texts):
            own.setdefault(texts.setdefault(window.ids, len(texts)), place)
        frames = {_place(frame, images, pixels): None for frame in post.frames} or {-1: None}
        windows = [(place, text, post.texts[place]) for text, place in own.items()]
        shown = [(place, text, window.line, window.undisguised) for place, text, window in windows]
        rows.extend(
            (owner, place, text, frame, line, reading)
            for place, text, line, reading in shown or [(-1, -1, False, False)]
            for frame in frames
        )
    token_ids, mask = pad(list(texts), spec, ATTENTION_STEP)
    table = np.array(rows, dtype=np.int64).reshape(-1, 6)
    stacked = np.stack(pixels) if pixels else np.zeros((0, image_size, image_size, 3), dtype=np.uint8)
    sources = Rows(table[:, 0], table[:, 1], table[:, 4] > 0, table[:, 5] > 0)
    return Batch(token_ids, mask, stacked, table[:, 2], table[:, 3]), sources


def _place(frame: NDArray[np.uint8], images: dict[bytes, list[int]], pixels: list[NDArray[np.uint8]]) -> int:
    """Returns the row of a frame in `pixels`, adding it when it is new."""
    # Few pixels tell most images apart, and only those that agree in them are compared in whole.
    alike = images.setdefault(frame[::SAMPLED, ::SAMPLED].tobytes(), [])
    for row in alike:
        if np.array_equal(pixels[row], frame):
            return row
    alike.append(len(pixels))
    pixels.append(frame)
    return len(pixels) - 1
