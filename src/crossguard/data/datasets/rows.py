"""The row that every dataset is turned into, and the Parquet table of such rows."""

from __future__ import annotations

import json
import os
import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from crossguard.errors import needs_extra
from crossguard.saving import telling_of, whole_file

if TYPE_CHECKING:
    import pyarrow as pa

# Where a table notes how many images its rows lost while it was prepared, by split.
LOST_IMAGES: Final = b"crossguard.lost_images"
# What copies of one tweet differ in, in small letters: each has a link of its own. No part gives back what it took, so
# that a long text takes no longer.
_MAIL: Final = r"(?<![\w.+-])\w[\w.+-]*+@[\w-]++\.\w[\w.-]*+"
_ADDED: Final = re.compile(rf"https?://\S+|\b(?:www\.|t\.co/)\S+|{_MAIL}|@\w+|\brt\b")
# Of marks, those that spell no word once accents are part of their letters: stacked ones, and selectors of glyphs.
_DECORATION: Final = ("COMBINING ", "VARIATION SELECTOR", "MONGOLIAN FREE VARIATION")
# Columns beside the labels, which are all the others.
FIXED: Final = ("id", "text", "image_text", "image_path", "split", "source", "stratum", "hateful")


@dataclass(frozen=True, slots=True)
class Row:
    """One annotated post."""

    id: str
    text: str = ""
    image_text: str = ""
    image: Path | None = None  # the image's file, whether it is there or not; None where the dataset has no image
    # `train`, `val` or `test`, as its authors divided it, or as divided here by a hash of the text
    split: str = "train"
    # Share of annotators per label, in [0, 1]; a label that is not named is unknown
    labels: Mapping[str, float] = field(default_factory=dict)
    # Whether the post is hateful at all, in [0, 1]; None when the labels say it, or nobody does
    hateful: float | None = None
    stratum: str = ""  # a group within the dataset that a recipe may draw more or less often
    annotated: bool = True  # whether the dataset has an annotation for the post

    @property
    def blank(self) -> bool:
        """Whether it says and shows nothing, so that nothing can score it."""
        return self.image is None and not f"{self.text}{self.image_text}".strip()


@dataclass(frozen=True, slots=True)
class Dataset:
    """How to read one public dataset."""

    name: str
    labels: tuple[str, ...]
    # Raw folder to rows; raises `TableError` when the folder is not what it should be
    read: Callable[[Path], Iterator[Row]]
    layout: str  # what the raw folder holds, for people
    source: str
    caution: str  # what is known to be wrong with its labels, or of its posts is not read


def letters(text: str, image_text: str) -> str:
    """Returns the letters and digits of a post's words, by which copies are known: they differ in everything else.

    That is case, punctuation, emoji, links, e-mail addresses, mentions and `RT`. Marks such as the vowel signs of Hindi
    and Thai stay, as other ones make other words. Empty where nothing is left.
    """
    words = _ADDED.sub("", f"{text} {image_text}".casefold())
    return (words if words.isascii() else unicodedata.normalize("NFC", words)).translate(_LETTERS)


class _Letters(dict[int, int | None]):
    """What `str.translate` makes of each character, remembered: nothing of those that spell no word."""

    def __missing__(self, point: int) -> int | None:
        sign = chr(point)
        kind = unicodedata.category(sign)[0]
        spells = kind in "LN" or (kind == "M" and not unicodedata.name(sign, "").startswith(_DECORATION))
        self[point] = point if spells else None
        return self[point]


_LETTERS: Final = _Letters()


def write_table(
    rows: Sequence[Row], labels: Sequence[str], source: str, path: Path, lost_images: Mapping[str, int] | None = None
) -> None:
    """Writes rows as Parquet; see `as_table`.

    `lost_images`, by split, are named by the dataset and could not be read; training counts them as missing.

    Raises:
        OutputError: It cannot be written; what is there stays.
    """
    table = as_table(rows, labels, source, path.parent)
    from pyarrow import parquet

    table = table.replace_schema_metadata({LOST_IMAGES: json.dumps(dict(lost_images or {}))})
    with telling_of(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        with whole_file(path) as unfinished:
            parquet.write_table(table, unfinished, compression="zstd")


def as_table(rows: Sequence[Row], labels: Sequence[str], source: str, folder: Path) -> pa.Table:
    """Returns rows as a training table; an unknown label is null, an absent image an empty path.

    Images are named from the table's folder, so that both can be moved together.
    """
    with needs_extra("Reading and writing training tables", "parquet"):
        import pyarrow as pa
    columns: dict[str, Any] = {
        "id": [row.id for row in rows],
        "text": [row.text for row in rows],
        "image_text": [row.image_text for row in rows],
        "image_path": ["" if row.image is None else _named_from(folder, row.image) for row in rows],
        "split": [row.split for row in rows],
        "source": [source] * len(rows),
        "stratum": [row.stratum for row in rows],
    }
    columns = {name: pa.array(values, type=pa.string()) for name, values in columns.items()}
    for name in ("hateful", *labels):
        values = [row.hateful if name == "hateful" else row.labels.get(name) for row in rows]
        columns[name] = pa.array(values, type=pa.float32())
    return pa.table(columns)


def _named_from(folder: Path, image: Path) -> str:
    """Returns the path to an image from a folder; `..` behind a link leads from where the link points."""
    return os.path.relpath(Path(os.path.realpath(image.parent)) / image.name, os.path.realpath(folder))
