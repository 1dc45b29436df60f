"""Streams posts from a JSONL, CSV or Parquet file, a folder of pictures, or stdin, in constant memory."""

from __future__ import annotations

import difflib
import gzip
import os
import sys
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

from crossguard.data.columns import Columns, PostBuilder
from crossguard.data.delimited import read_delimited
from crossguard.data.duplicates import DuplicateWatch
from crossguard.data.folders import FolderPosts
from crossguard.data.image_formats import SUFFIXES
from crossguard.data.jsonl import read_jsonl
from crossguard.data.lines import ByteLines
from crossguard.data.parquet import ParquetPosts
from crossguard.errors import TableError, suggest
from crossguard.records import Post

__all__ = ["FORMATS", "STDIN", "Columns", "PostReader"]

STDIN = "-"
FORMATS = ("jsonl", "csv", "parquet", "folder")
_SUFFIXES = {
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "jsonl",
    ".csv": "csv",
    ".tsv": "csv",
    ".parquet": "parquet",
    ".pq": "parquet",
}
_TEXT_READERS = {"jsonl": read_jsonl, "csv": read_delimited}


class PostReader:
    """Iterates over the posts of one source; what cannot be read is a failed post in its place.

    Missing ids become `line-N` (text formats), `row-N` (Parquet) or the relative path (folders). Doubled ids are kept.
    """

    def __init__(
        self,
        source: str | os.PathLike[str],
        *,
        format: str | None = None,  # noqa: A002 - the public name of the option
        columns: Columns | None = None,
        image_root: str | os.PathLike[str] | None = None,
    ) -> None:
        """Checks that the source exists and finds out its format; nothing is read yet.

        Args:
            source: A file, a folder, or `-` for stdin.
            format: One of `FORMATS`; by the suffix when None, and JSONL for stdin.
            columns: Which column holds what.
            image_root: Folder of relative image paths; the folder of the file, or the working folder for stdin.

        Raises:
            TableError: The source is missing, empty, of an unknown format, or a single picture.
        """
        self.source = os.fspath(source)
        self.format = format or _format_of(self.source)
        if self.format not in FORMATS:
            raise TableError(f"Unknown input format '{self.format}'.{suggest(self.format, FORMATS)}")
        if self.source != STDIN:
            _check_exists(Path(self.source), self.format)
        elif self.format not in _TEXT_READERS:
            raise TableError(f"{self.format} cannot come from stdin; write it to a file and score that.")
        default_root = Path() if self.source == STDIN else Path(self.source).parent
        self._builder = PostBuilder(columns or Columns(), Path(image_root) if image_root is not None else default_root)
        self._raw: BinaryIO | None = None
        self._size = 0
        self._done, self._total = 0, 0
        self._duplicates = DuplicateWatch()
        self._folder: FolderPosts | None = None

    def __iter__(self) -> Iterator[Post]:
        """Yields the posts.

        Raises:
            TableError: The table as a whole cannot be read (header, columns, compression).
            MissingExtraError: Parquet without pyarrow.
        """
        self._duplicates = DuplicateWatch()
        for entry in self._entries():
            if entry.error is None:
                self._duplicates.see(entry.id)
            self._done += 1
            yield entry

    @property
    def fraction(self) -> float | None:
        """How much has been read, in [0, 1]; None where that cannot be known."""
        if self._total:
            return min(1.0, self._done / self._total)
        if self._raw is None or not self._size:
            return None
        return 1.0 if self._raw.closed else min(1.0, self._raw.tell() / self._size)

    @property
    def warnings(self) -> list[str]:
        """What a person should know after reading, one sentence each."""
        found = [self._duplicates.warning] if self._duplicates.warning else []
        if self._folder is not None and self._folder.left_out:
            found.append(f"{self._folder.left_out:,} files were left out, as their names are not those of pictures.")
        return found

    def _entries(self) -> Iterable[Post]:
        where = "stdin" if self.source == STDIN else f"'{self.source}'"
        if self.format == "folder":
            self._folder = FolderPosts(Path(self.source))
            return self._folder
        if self.format == "parquet":
            table = ParquetPosts(Path(self.source), self._builder, where)
            self._done, self._total = 0, table.rows
            return table
        return self._text_entries(where)

    def _text_entries(self, where: str) -> Iterator[Post]:
        read = _TEXT_READERS[self.format]
        if self.source == STDIN:
            yield from read(sys.stdin.buffer, self._builder, where)
            return
        try:
            with Path(self.source).open("rb") as raw:
                self._raw, self._size = raw, os.fstat(raw.fileno()).st_size
                stream: ByteLines = gzip.GzipFile(fileobj=raw) if self.source.endswith(".gz") else raw
                yield from read(stream, self._builder, where)
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            raise TableError(f"{where} is damaged after {self._done:,} posts: {error}.") from None
        except OSError as error:
            raise TableError(f"Cannot read {where}: {error.strerror}.") from None


def _format_of(source: str) -> str:
    if source == STDIN:
        return "jsonl"
    path = Path(source)
    if path.is_dir():
        return "folder"
    plain = Path(source.removesuffix(".gz"))
    found = _SUFFIXES.get(plain.suffix.lower())
    if found and (plain == path or found in _TEXT_READERS):
        return found
    _check_exists(path, "")
    if path.suffix.lower() in SUFFIXES:
        raise TableError(
            f"'{source}' is a picture, not a table of posts. Score it with: crossguard score --image {source}"
        )
    raise TableError(
        f"The format of '{source}' is not clear from its name. Known suffixes: {', '.join(_SUFFIXES)}. "
        "Say which it is with --input-format."
    )


def _check_exists(path: Path, format_: str) -> None:
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
