"""Which format a table, a folder or stdin has: by its name, or by its first bytes."""

from __future__ import annotations

import codecs
import difflib
import os
import re
import shlex
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import BinaryIO, Final, Literal, TypeAlias, cast

from crossguard.data.image_formats import SUFFIXES
from crossguard.data.ranges import PACKED, suffix_of
from crossguard.errors import TableError

STDIN = "-"
FORMATS = ("jsonl", "csv", "txt", "parquet", "xlsx", "folder")
TEXT_FORMATS = ("jsonl", "csv", "txt")
SUFFIX_FORMATS = {
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "jsonl",
    ".csv": "csv",
    ".tsv": "csv",
    ".parquet": "parquet",
    ".txt": "txt",
    ".pq": "parquet",
    ".xlsx": "xlsx",
}
TableKind: TypeAlias = Literal["parquet", "arrow", "jsonl", "csv", "txt", "xlsx", "tar"]
KINDS: Final[Mapping[str, TableKind]] = {
    **cast("Mapping[str, TableKind]", SUFFIX_FORMATS),
    ".arrow": "arrow",
    ".feather": "arrow",
    ".tar": "tar",
}
"""What a job reads: by suffix, how."""
_BINARY = {b"PK\x03\x04": "an Excel workbook or a zip file", b"PAR1": "Parquet", b"\x1f\x8b": "gzip (use zcat)"}

_OPTIONS: Final = re.compile(r"\?\w+=[^?]*$")  # of the address of a storage
_UNPACK: Final = {".zip": "unzip", ".bz2": "bunzip2", ".xz": "unxz"}


def format_of(source: str) -> str:
    """Returns the format of a file or folder by its name, and that of stdin by its first bytes.

    Raises:
        TableError: It is not clear, or the file is missing or an image.
    """
    if source == STDIN:
        return _format_of_stdin()
    path = Path(source)
    if os.path.isdir(source):  # noqa: PTH112 - pathlib raises for what is no name at all
        return "folder"
    plain = path.with_suffix("") if path.suffix.lower() == ".gz" else path
    found = SUFFIX_FORMATS.get(plain.suffix.lower())
    if found and (plain == path or found in TEXT_FORMATS):
        return found
    check_exists(path, "")
    if images_among([source]):
        raise TableError(how_to_score_images([source]))
    if is_read_in_jobs(source):
        unpack = f". For another command, unpack it first: unzstd {source}" if source.lower().endswith(".zst") else ""
        raise TableError(
            f"'{source}' is scored in a job, which writes a folder: crossguard score {source} -o decisions/{unpack}"
        )
    if path.suffix.lower() in _UNPACK:
        raise TableError(f"'{source}' is packed. Unpack it first: {_UNPACK[path.suffix.lower()]} {source}")
    raise TableError(
        f"The format of '{source}' is not clear from its name. Known suffixes: {', '.join(SUFFIX_FORMATS)}. "
        "Say which it is with --input-format."
    )


def images_among(sources: Iterable[str]) -> list[str]:
    """Returns those of some files and patterns that name images; a folder is none, whatever it is called."""
    named = (source for source in sources if PurePosixPath(source).suffix.lower() in SUFFIXES)
    return [source for source in named if not os.path.isdir(source)]  # noqa: PTH112 - as above


def how_to_score_images(images: Sequence[str]) -> str:
    """Returns what to do with images that were given in the place of a table, or with a pattern of images."""
    stored = "://" in images[0]
    options = found[0] if stored and (found := _OPTIONS.search(images[0])) else ""
    fixed = [re.split(r"[*?]", image)[0] for image in images]
    folders = dict.fromkeys(shlex.quote((start[: start.rfind("/") + 1] or ".") + options) for start in fixed)
    command = f"crossguard score {' '.join(folders)}" + (" -o decisions/" if stored or len(folders) > 1 else "")
    if stored or fixed != [images[0]]:
        return f"These are images. Score their folder: {command}"
    (image,) = images
    return (
        f"'{image}' is an image, not a table of posts. Score it with: crossguard score --image {shlex.quote(image)}; "
        f"or all of its folder: {command}"
    )


def kind_of(path: str) -> TableKind | None:
    """Returns how a job reads a file, by its name; None for what is not read."""
    kind = KINDS.get(suffix_of(path))
    return kind if kind in {*TEXT_FORMATS, "tar"} or not path.lower().endswith(PACKED) else None


def is_read_in_jobs(path: str) -> bool:
    """Whether a file is one that jobs read, and `format_of` refuses: a tar file, Arrow, or packed by Zstandard."""
    kind = kind_of(path)
    return kind in {"arrow", "tar"} or (kind is not None and path.lower().endswith(".zst"))


def _format_of_stdin() -> str:
    """JSON begins with a bracket; everything else that has a header is CSV."""
    peek = getattr(stdin(), "peek", None)
    start = peek(1).removeprefix(codecs.BOM_UTF8).lstrip() if peek is not None else b""
    for magic, kind in _BINARY.items():
        if start.startswith(magic):
            raise TableError(f"stdin holds {kind}, and only text formats come from stdin. Write it to a file first.")
    start = start[:1]
    return "csv" if start and start not in b"[{" else "jsonl"


def stdin() -> BinaryIO:
    """Returns the bytes of stdin.

    Raises:
        TableError: It is closed.
    """
    if sys.stdin is None:  # by who started this: `crossguard score - <&-`
        raise TableError("stdin is closed, so there is nothing to read from it. Name a file, or open it: < posts.csv")
    return sys.stdin.buffer


def check_exists(path: Path, format_: str) -> None:
    """Checks that a file or folder can be read in a format.

    Raises:
        TableError: It is missing or empty, or a folder and the format is that of files.
    """
    try:
        size = path.stat().st_size
    except OSError as error:
        raise TableError(f"Cannot read '{path}': {error.strerror}.{_neighbour(path)}") from None
    except ValueError as error:
        raise TableError(f"Not a usable path {str(path)!r}: {error}.") from None
    if path.is_dir() and format_ != "folder":
        raise TableError(f"'{path}' is a folder, and --input-format says {format_}.")
    if format_ == "folder" and not path.is_dir():
        raise TableError(f"'{path}' is not a folder.")
    if path.is_file() and size == 0:
        raise TableError(f"'{path}' is empty (0 bytes), so there is nothing to score.")


def _neighbour(path: Path) -> str:
    try:
        names = [entry.name for entry in path.parent.iterdir()]
    except OSError:
        return ""
    close = difflib.get_close_matches(path.name, names, n=1)
    return f" Did you mean '{path.with_name(close[0])}'?" if close else ""
