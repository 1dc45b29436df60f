"""Reading raw files of datasets, with errors that say what was expected."""

from __future__ import annotations

import csv
import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

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


def read_csv(path: Path, delimiter: str = ",") -> Iterator[dict[str, str]]:
    """Yields the rows of a CSV file with a header."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        yield from csv.DictReader(file, delimiter=delimiter)


def read_jsonl(path: Path) -> Iterator[dict[str, Any]]:
    """Yields the objects of a JSON Lines file.

    Raises:
        TableError: A line is not a JSON object.
    """
    with path.open(encoding="utf-8") as file:
        for number, line in enumerate(file, start=1):
            if not line.strip():
                continue
            try:
                row = json.loads(line)
            except json.JSONDecodeError as error:
                raise TableError(f"'{path}' line {number} is not valid JSON: {error.msg}.") from None
            if not isinstance(row, dict):
                raise TableError(f"'{path}' line {number} must hold an object, and holds {type(row).__name__}.")
            yield row


def read_lines(path: Path, count: int | None = None) -> list[str]:
    """Returns the lines of a file that holds one entry per line.

    Raises:
        TableError: There are not `count` of them.
    """
    lines = path.read_text(encoding="utf-8").removesuffix("\n").split("\n")
    if count is not None and len(lines) != count:
        raise TableError(f"{path} holds {len(lines)} lines, and the file that it belongs to {count}.")
    return lines


def percent_of(text: str) -> int:
    """Returns a number in [0, 100) that depends on the text alone: a split that never moves."""
    return int(hashlib.sha256(text.encode()).hexdigest(), 16) % 100


def split_by_hash(text: str, validation: int) -> str:
    """Returns `val` for that many percent of all texts, else `train`."""
    return "val" if percent_of(text) < validation else "train"
