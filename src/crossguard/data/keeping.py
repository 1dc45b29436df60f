"""What goes along with a decision: what its post said, and the other columns of the row that it came in."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Collection, Mapping
from typing import Any, Final

from crossguard.data.cells import written
from crossguard.data.image_sources import is_data_url
from crossguard.records import Post

_OF_POST: Final = frozenset({"text", "image_path", "image_text"})
_MOST_SENTENCES: Final = 100
# Of lists and objects in each other. What writes and reads them calls itself for each, and Python allows 1,000 calls.
_MOST_LEVELS: Final = 50


class Keeper:
    """Chooses what of the input is kept in results; words that were read in an image always are.

    Args:
        keep: Whether texts, image paths and `Post.extra` are kept.
        columns: Those that the results have room for; any when None.

    Attributes:
        left_out: Of how many posts a column is not kept, by the sentence that says why.
    """

    def __init__(self, *, keep: bool, columns: Collection[str] | None = None) -> None:
        self.left_out: Counter[str] = Counter()
        self._keep = keep
        self._columns = columns

    def of(self, original: Post, post: Post) -> dict[str, Any]:
        """Returns what is kept of a post; `original` is the one before it was completed."""
        kept: dict[str, Any] = {}
        if self._keep:
            image = original.image if isinstance(original.image, str | os.PathLike) else None
            path = None if image is None else os.fspath(image)
            parts = {"text": post.text, "image_path": path if path and not is_data_url(path) else None}
            kept = {name: value for name, value in parts.items() if value} | self._others(original)
            self._note_without_room(kept)
        if post.image_text and (self._keep or post.image_text != original.image_text):
            kept["image_text"] = post.image_text
        return kept

    def _others(self, post: Post) -> dict[str, Any]:
        kept: dict[str, Any] = {}
        for name, cell in post.extra.items():
            value = written(cell)
            if name in _OF_POST:
                self._note(name, "results say by this name what was scored. Rename the column to keep it")
            elif _is_deep(value):
                self._note(name, "it is nested too deeply")
            elif isinstance(value, str | int | float | bool | list | dict):
                kept |= {name: value} if value == value else {}  # noqa: PLR0124 - NaN
            elif value is not None:
                self._note(name, f"it holds {type(value).__name__}")
        return kept

    def _note_without_room(self, kept: Collection[str]) -> None:
        for name in kept:
            if self._columns is not None and name not in self._columns:
                self._note(name, "a table has the columns of its first post only; JSON Lines (.jsonl) keep all")

    def _note(self, name: str, why: str) -> None:
        sentence = f"column '{name}' is not kept: {why}"
        if sentence in self.left_out or len(self.left_out) < _MOST_SENTENCES:
            self.left_out[sentence] += 1


def _is_deep(value: Any, levels: int = _MOST_LEVELS) -> bool:
    """Whether a value has more lists and objects in each other than may be kept."""
    if not isinstance(value, Mapping | list | tuple):
        return False
    parts = value.values() if isinstance(value, Mapping) else value
    return levels == 0 or any(_is_deep(part, levels - 1) for part in parts)
