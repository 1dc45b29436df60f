"""Decisions to a file and back: which format, whether it may be written, and how it is read."""

from __future__ import annotations

import codecs
import io
import json
import os
import shutil
from collections.abc import Collection, Iterator, Sequence
from contextlib import suppress
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from crossguard.data.formats import SUFFIX_FORMATS
from crossguard.data.image_sources import is_url
from crossguard.data.lines import MAX_LINE_BYTES
from crossguard.data.outputs import FileOutput, JournaledOutput, Output, TerminalOutput, has_content, journal_of
from crossguard.data.row_formats import CsvRows, JsonlRows, RowFormat
from crossguard.data.storage import JOB_FOLDER, PARTS_MANIFEST, SCHEMES, Storage, is_remote
from crossguard.data.whole_files import WHOLE_FILES
from crossguard.errors import OutputError, TableError
from crossguard.records import Decision
from crossguard.saving import is_one_file
from crossguard.schema import Names, own_columns

FORMATS = ("jsonl", "csv", "parquet", "xlsx", "html")
# By suffix: what can be read again, and what can be written.
_READ = {suffix: name for suffix, name in SUFFIX_FORMATS.items() if suffix not in {".tsv", ".txt"}}
_SUFFIXES = {**_READ, ".html": "html", ".htm": "html"}


def open_output(
    path: Path,
    labels: Sequence[str],
    *,
    kept: Sequence[str] = (),
    attributes: Collection[str] = (),
    format: str | None = None,  # noqa: A002 - the public name of the option
    resume: bool = False,
    overwrite: bool = False,
) -> Output:
    """Returns the output for a file, of the format that its suffix names unless one is given; changes nothing yet.

    Labels, attributes, and the columns of the input that are `kept` are columns of flat formats; JSONL takes any.

    Raises:
        OutputError: The file is there and neither was asked for, its folder is missing, or the format is not clear.
    """
    kind = format or _SUFFIXES.get(path.suffix.lower())
    if kind is None:
        raise OutputError(
            f"The format of '{path}' is not clear from its name. Known suffixes: {', '.join(_SUFFIXES)}. "
            "Say which it is with --format."
        )
    _check_place(path)
    whole = WHOLE_FILES.get(kind)
    if not resume and not overwrite:
        _refuse_existing(path, journal_of(path) if whole else None)
    names = Names(labels, kept, tuple(attributes))
    return JournaledOutput(path, names, whole) if whole else FileOutput(path, _rows(kind, names), path)


def _refuse_existing(path: Path, journal: Path | None) -> None:
    if has_content(path):
        what = f"'{path}' already exists"
    elif journal is not None and has_content(journal):
        what = f"'{journal}' holds a run that is not finished"
    else:
        return
    raise OutputError(f"{what}. Continue it with --resume, replace it with --overwrite, or choose another name.")


def open_stream(
    stream: BinaryIO,
    labels: Sequence[str],
    format: str = "jsonl",  # noqa: A002 - see above
    kept: Sequence[str] = (),
    attributes: Collection[str] = (),
    *,
    terminal: bool = False,
) -> Output:
    """Returns the output for stdout: for a file or another program as it is, and on a terminal harmless.

    Raises:
        OutputError: A format that is written at once, at the end of a run.
    """
    if format in WHOLE_FILES:
        raise OutputError(f"{format} cannot go to stdout. Name a file: -o decisions.{format}")
    kind = TerminalOutput if terminal else Output
    return kind(stream, _rows(format, Names(labels, kept, tuple(attributes))), "stdout")


def _rows(kind: str, names: Names) -> RowFormat:
    return CsvRows(names) if kind == "csv" else JsonlRows()


def refuse_same_file(source: Path | int, target: Path | int, instead: str = "decisions.jsonl") -> None:
    """Checks that nothing is written over what is read, nor what is written read, also through links.

    Both are paths, or the descriptors of stdin and stdout; `instead` is a name that would do.

    Raises:
        OutputError: Both are one regular file.
    """
    outputs = [target] if isinstance(target, int) else [target, journal_of(target)]
    if is_one_file(source, outputs):
        name = "stdout" if isinstance(target, int) else f"'{target}'"
        raise OutputError(f"The output {name} is the input itself. Choose another file: -o {instead}")


def read_decisions(path: str | os.PathLike[str]) -> Iterator[Decision]:
    """Yields the decisions of a file, or of the folder of a job over many files, here or in a storage, in order.

    Raises:
        TableError: There is no such file or folder, its format is not clear, or it is not one of ours.
    """
    address = os.fspath(path).removeprefix("file://")
    if is_remote(address):
        yield from _stored_decisions(Storage(address))
        return
    if is_url(address):
        raise TableError(f"Cannot read '{address}': storages are {'://, '.join(SCHEMES)}://.")
    path = Path(address)
    if path.is_dir():  # of the path itself first, so that an error that the system gives names it
        if not (path / PARTS_MANIFEST).is_file():
            raise _no_job(path)
        yield from _local_decisions(path)
        return
    kind = _READ.get(path.suffix.lower())
    if not path.is_file() if kind else not (path.suffix or path.exists()):  # a pipe cannot be read twice
        name = path if path.suffix else f"{path}/"
        raise TableError(
            f"Cannot read '{path}': no such file or folder. Write it with: crossguard score INPUT -o {name}"
        )
    if kind is None:
        raise TableError(f"'{path}' is not a file of results that can be read: .jsonl, .csv, .parquet or .xlsx.")
    whole = WHOLE_FILES.get(kind)
    if whole:
        whole.require(f"Reading {path.suffix}")
    try:
        yield from whole.read(path, own_columns) if whole and whole.read else _rows_of(path, kind)
    except OutputError as error:  # it is an input here
        raise TableError(f"Cannot read '{path}': {error}") from None


def _rows_of(path: Path, kind: str) -> Iterator[Decision]:
    with path.open("rb") as stream:
        if kind == "csv":
            table = _as_written(stream)
            rows = CsvRows.of_header(table.readline())
            table.seek(0)
            yield from (decision for decision, _ in rows.decode(table))
            return
        end = 0
        for decision, end in JsonlRows().decode(stream):  # noqa: B007 - used behind the last one
            yield decision
        stream.seek(end)
        with suppress(OutputError):  # a last row that was cut, and does not only lack the end of its line
            yield from (
                decision for decision, _ in JsonlRows().decode(io.BytesIO(stream.readline(MAX_LINE_BYTES) + b"\n"))
            )


def _as_written(table: BinaryIO) -> BinaryIO:
    """Returns results in CSV as they were before Excel saved them anew, with a mark of UTF-8 and CR before LF."""
    start = table.readline()
    table.seek(0)
    if not start.startswith(codecs.BOM_UTF8) and not start.endswith(b"\r\n"):
        return table
    return io.BytesIO(table.read().removeprefix(codecs.BOM_UTF8).replace(b"\r\n", b"\n"))


def holds_job(path: Path) -> bool:
    """Whether a folder of this machine is that of a job over many files, finished or not."""
    return (path / PARTS_MANIFEST).is_file() or (path / JOB_FOLDER).is_dir() or any(path.glob("[0-9]*/part-*"))


def _local_decisions(folder: Path) -> Iterator[Decision]:
    """Yields the decisions of a job on this machine."""
    with (folder / PARTS_MANIFEST).open("rb") as manifest:
        for name, rows in _parts(manifest, folder):
            if not (folder / name).is_file():
                raise _lost(folder, name)
            yield from _whole(read_decisions(folder / name), rows, f"{folder}/{name}")


def _stored_decisions(place: Storage) -> Iterator[Decision]:
    """Yields the decisions of a job in a storage; one part at a time is on this machine."""
    manifest = place.read(PARTS_MANIFEST)
    if manifest is None:
        raise _no_job(place.address)
    with manifest:
        for name, rows in _parts(manifest, place.address):
            part = place.read(name)
            if part is None:
                raise _lost(place.address, name)
            with place.scratch() as folder, part:
                copy = folder / PurePosixPath(name).name
                with copy.open("wb") as file:
                    shutil.copyfileobj(part, file)
                yield from _whole(read_decisions(copy), rows, place.address_of(place.join(name)))


def _whole(decisions: Iterator[Decision], rows: int, part: str) -> Iterator[Decision]:
    """Yields the decisions of a part.

    Raises:
        TableError: They are not as many as its manifest says.
    """
    count = 0
    for count, decision in enumerate(decisions, 1):  # noqa: B007 - used behind the last one
        yield decision
    if count != rows:
        raise TableError(f"'{part}' has {count:,} of {rows:,} rows. Delete it, and run the job with --resume.")


def _parts(manifest: BinaryIO, folder: str | Path) -> Iterator[tuple[str, int]]:
    """Yields the names of a job's parts and how many rows each has; the first line of a manifest is about the job."""
    if next(manifest, None) is None:
        raise TableError(f"'{folder}' has an empty {PARTS_MANIFEST}: what is in the parts is not known.")
    yield from ((part["part"], part["posts"]) for part in map(json.loads, manifest))


def _no_job(folder: str | Path) -> TableError:
    return TableError(
        f"'{folder}' has no {PARTS_MANIFEST}: the job in it is not finished, which --resume does, or there is none."
    )


def _lost(folder: str | Path, name: str) -> TableError:
    return TableError(
        f"'{folder}/{PARTS_MANIFEST}' names '{name}', which is not there. If no run is changing the job now, finish it "
        "with --resume."
    )


def _check_place(path: Path) -> None:
    if path.is_dir():
        raise OutputError(f"'{path}' is a folder; give the name of a file inside it.")
    if path.parts[:1] == ("~",) and not Path("~").exists():
        raise OutputError(f"There is no folder '~': the shell did not expand it. Write -o ~/... or $HOME in '{path}'.")
    if not path.parent.is_dir():
        raise OutputError(f"The folder '{path.parent}' is not there. Create it: mkdir -p '{path.parent}'")
