"""Reading raw files of datasets, with errors that say what was expected."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from crossguard.data.tables import read_rows
from crossguard.errors import TableError


def require(folder: Path, *names: str) -> Path:
    """Returns the first of these files or folders that exists.

    Raises:
        TableError: None does; names what was looked for.
    """
    for name in names:
        if (folder / name).exists():
            return folder / name
    wanted = " or ".join(names)
    raise TableError(f"{folder} does not hold {wanted}. Give the folder that the dataset's authors publish.")


def entries(folder: Path, *names: str) -> Iterator[dict[str, Any]]:
    """Yields the rows of the first of these tables that exists."""
    return read_rows(require(folder, *names))


def labelled_lines(folder: Path, *patterns: str) -> Iterator[tuple[str, int, str, float]]:
    """Yields split, number, text and label of TweetEval's pairs of files, `{split}_text` and `{split}_labels`.

    In the patterns of their names, `{}` stands for split and kind.

    Raises:
        TableError: A file is missing, or the two of a split are of another length.
    """
    for split in ("train", "val"):
        paths = [require(folder, *(one.format(f"{split}_{kind}") for one in patterns)) for kind in ("text", "labels")]
        texts, labels = (path.read_text(encoding="utf-8").removesuffix("\n").split("\n") for path in paths)
        if len(texts) != len(labels):
            raise TableError(f"{paths[1]} holds {len(labels)} lines, and the file that it belongs to {len(texts)}.")
        for number, (text, label) in enumerate(zip(texts, labels, strict=True)):
            yield split, number, text, float(label)


def percent_of(text: str) -> int:
    """Returns a number in [0, 100) that depends on the text alone: a split that never moves."""
    return int(hashlib.sha256(text.encode()).hexdigest(), 16) % 100


def split_by_hash(text: str, validation: int) -> str:
    """Returns `val` for that many percent of all texts, else `train`."""
    return "val" if percent_of(text) < validation else "train"
