"""Decisions to a file and back: which format, whether it may be written, and how it is read."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

from crossguard.data.outputs import Output, ParquetOutput, StreamOutput, has_content, journal_of
from crossguard.data.parquet_results import read_parquet
from crossguard.data.row_formats import CsvRows, JsonlRows, RowFormat
from crossguard.errors import OutputError
from crossguard.records import Decision

FORMATS = ("jsonl", "csv", "parquet")
_SUFFIXES = {
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "jsonl",
    ".csv": "csv",
    ".parquet": "parquet",
    ".pq": "parquet",
}


def open_output(
    path: Path,
    labels: Sequence[str],
    *,
    format: str | None = None,  # noqa: A002 - the public name of the option
    resume: bool = False,
    overwrite: bool = False,
) -> Output:
    """Returns the output for a file; nothing is changed on disk yet.

    Args:
        path: Where to.
        labels: Names of the labels, which are columns of CSV and Parquet.
        format: One of `FORMATS`; by the suffix when None.
        resume: Whether what is there will be continued.
        overwrite: Whether what is there may be replaced.

    Raises:
        OutputError: The file is there and neither was asked for, its folder is missing, or the format is not clear.
        MissingExtraError: Parquet without pyarrow.
    """
    kind = format or _SUFFIXES.get(path.suffix.lower())
    if kind is None:
        raise OutputError(
            f"The format of '{path}' is not clear from its name. Known suffixes: {', '.join(_SUFFIXES)}. "
            "Say which it is with --format."
        )
    _check_place(path)
    places = {path, journal_of(path)} if kind == "parquet" else {path}
    if not resume and not overwrite and any(map(has_content, places)):
        raise OutputError(
            f"'{path}' is there already. Continue it with --resume, replace it with --overwrite, "
            "or choose another name."
        )
    if kind == "parquet":
        return ParquetOutput(path, labels)
    return Output(path, CsvRows(labels) if kind == "csv" else JsonlRows(), path)


def open_stream(stream: BinaryIO, labels: Sequence[str], format: str = "jsonl") -> Output:  # noqa: A002
    """Returns the output for stdout.

    Raises:
        OutputError: Parquet, which has its index at the end of a file.
    """
    if format == "parquet":
        raise OutputError("Parquet cannot go to stdout. Name a file: -o decisions.parquet")
    return StreamOutput(stream, CsvRows(labels) if format == "csv" else JsonlRows())


def refuse_same_file(source: Path | int, target: Path | int) -> None:
    """Checks that scoring would not write over what it reads, nor read what it writes, also through links.

    Args:
        source: The input: a path, or the descriptor of stdin.
        target: The output: a path, or the descriptor of stdout.

    Raises:
        OutputError: Both are one regular file.
    """
    outputs = [target] if isinstance(target, int) else [target, journal_of(target)]
    read = _identity(source)
    if read is not None and read in map(_identity, outputs):
        name = "stdout" if isinstance(target, int) else f"'{target}'"
        raise OutputError(f"The output {name} is the input itself. Choose another file: -o decisions.jsonl")


def _identity(file: Path | int) -> tuple[int, int] | None:
    """Returns what two names of one regular file share."""
    try:
        status = os.stat(file)  # noqa: PTH116 - of descriptors, too
    except OSError:
        return None
    return (status.st_dev, status.st_ino) if stat.S_ISREG(status.st_mode) else None


def read_decisions(path: Path, format: str | None = None) -> Iterator[Decision]:  # noqa: A002
    """Yields the decisions of a file, in order.

    Raises:
        OutputError: The format is not clear.
    """
    kind = format or _SUFFIXES.get(path.suffix.lower())
    if kind == "parquet":
        yield from read_parquet(path)
        return
    if kind is None:
        raise OutputError(f"The format of '{path}' is not clear from its name.")
    with path.open("rb") as stream:
        rows: RowFormat = JsonlRows()
        if kind == "csv":
            rows = CsvRows.of_header(stream.readline())
            stream.seek(0)
        yield from (decision for decision, _ in rows.decode(stream))


def _check_place(path: Path) -> None:
    if path.is_dir():
        raise OutputError(f"'{path}' is a folder; give the name of a file inside it.")
    if not path.parent.is_dir():
        raise OutputError(f"The folder '{path.parent}' is not there. Create it: mkdir -p '{path.parent}'")
