"""Streams posts from a table, a folder of images, or stdin, in constant memory: the one reader of all commands."""

from __future__ import annotations

import gzip
import os
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

from crossguard.data.columns import Columns
from crossguard.data.delimited_rows import read_delimited
from crossguard.data.excel_rows import ExcelPosts
from crossguard.data.formats import FORMATS, STDIN, TEXT_FORMATS, check_exists, format_of, stdin
from crossguard.data.image_folder import FolderPosts
from crossguard.data.json_rows import read_jsonl
from crossguard.data.lines import ByteLines, read_lines
from crossguard.data.parquet_rows import ParquetPosts
from crossguard.data.post_builder import PostBuilder, RowBuilder
from crossguard.errors import TableError, number_of, suggest
from crossguard.records import Post

__all__ = ["Columns", "PostReader", "read_rows", "read_whole", "readable"]

TEXT_READERS = {"jsonl": read_jsonl, "csv": read_delimited, "txt": read_lines}
_WHOLE_READERS: dict[str, type[ParquetPosts | ExcelPosts]] = {"parquet": ParquetPosts, "xlsx": ExcelPosts}
# About 20 MB of ids. Beyond, only repetitions of the first ones are noticed.
_REMEMBERED_IDS = 200_000


class PostReader:
    """Iterates over the posts of one source; what cannot be read is a failed post in its place.

    Missing ids become `line-N` (text), `item-N` (JSON array), `row-N` (Parquet, Excel) or the relative path (folders).
    Doubled ids are kept.
    """

    def __init__(
        self,
        source: str | os.PathLike[str],
        *,
        format: str | None = None,  # noqa: A002 - the public name of the option
        columns: Columns | None = None,
        image_root: str | os.PathLike[str] | None = None,
        confine_images: bool = False,
        extra: bool = False,
        builder: PostBuilder | None = None,
    ) -> None:
        """Checks that the source exists and finds out its format; nothing is read yet.

        Args:
            source: A file, a folder, or `-` for stdin.
            format: One of `FORMATS`; by the suffix when None, and by its first bytes for stdin (JSON or CSV).
            columns: Which column holds what.
            image_root: Folder of relative image paths; the folder of the file, or the working folder for stdin.
            confine_images: Whether an image path that leads out of that folder is refused, also through links: for
                tables that others wrote.
            extra: Whether posts carry the other columns of their rows (`Post.extra`): labels, splits, groups.
            builder: What makes a post of a row, in place of `columns`, `image_root` and `extra`.

        Raises:
            TableError: The source is missing, empty, of an unknown format, or a single image.
        """
        self.source = os.fspath(source)
        self.format = format or format_of(self.source)
        if self.format not in FORMATS:
            raise TableError(f"Unknown input format '{self.format}'.{suggest(self.format, FORMATS)}")
        if self.source != STDIN:
            check_exists(Path(self.source), self.format)
        elif self.format not in TEXT_FORMATS:
            raise TableError(f"{self.format} cannot come from stdin; write it to a file and score that.")
        default_root = Path() if self.source == STDIN else Path(self.source).parent
        root = Path(image_root) if image_root is not None else default_root
        self._builder = builder or PostBuilder(columns or Columns(), root, extra=extra, confined=confine_images)
        self._raw: BinaryIO | None = None
        self._size = 0
        self._done, self._total = 0, 0
        self._duplicates = DuplicateWatch()
        self._folder: FolderPosts | None = None

    def __iter__(self) -> Iterator[Post]:
        """Yields the posts."""
        self._duplicates, self._done = DuplicateWatch(), 0
        for entry in self._entries():
            if entry.error is None:
                self._duplicates.see(entry.id)
            self._done += 1
            yield entry

    @property
    def fraction(self) -> float | None:
        """How much has been read, in [0, 1]; None where that cannot be known."""
        if self._total:  # Excel files may say fewer rows than they have
            return self._done / self._total if self._done <= self._total else None
        if self._raw is None or not self._size:
            return None
        return 1.0 if self._raw.closed else min(1.0, self._raw.tell() / self._size)

    @property
    def warnings(self) -> list[str]:
        """What a person should know after reading, one sentence each."""
        found = [self._duplicates.warning] if self._duplicates.warning else []
        if self._folder is not None:
            found += self._folder.warnings
        return found + self._builder.notes + self._builder.words + self._builder.missing

    @property
    def unread(self) -> list[str]:
        """Those of the warnings that say what posts are read without."""
        return self._builder.unread + self._builder.words

    @property
    def header(self) -> tuple[str, ...]:
        """The columns of the table, after its first post was read; those of the first object of JSON."""
        return self._builder.header

    @property
    def numbered(self) -> bool:
        """Whether posts are named after their lines or rows, after the first post was read: the table has no ids."""
        return self._folder is None and "id" not in self._builder.found

    @property
    def kept(self) -> tuple[str, ...]:
        """Names of what posts carry beside their ids, after the first post was read: for results that keep it."""
        found = self._builder.found
        meanings = {name: meaning for meaning, name in found.items()} | {"image": "image_path"}
        names = [meanings.get(name, name) for name in self.header if name != found.get("id")] or ["text", "image_path"]
        return tuple(dict.fromkeys(names))

    def _entries(self) -> Iterable[Post]:
        where = "stdin" if self.source == STDIN else f"'{self.source}'"
        if self.format == "folder":
            self._folder = FolderPosts(Path(self.source), confined=self._builder.confined)
            return self._folder
        if self.format in _WHOLE_READERS:
            table = _WHOLE_READERS[self.format](Path(self.source), self._builder, where)
            self._total = table.rows
            return table
        return self._text_entries(where)

    def _text_entries(self, where: str) -> Iterator[Post]:
        read = TEXT_READERS[self.format]
        if self.source == STDIN:
            yield from read(stdin(), self._builder, where)
            return
        try:
            with Path(self.source).open("rb") as raw:
                self._raw, self._size = raw, os.fstat(raw.fileno()).st_size
                stream: ByteLines = gzip.GzipFile(fileobj=raw) if self.source.lower().endswith(".gz") else raw
                yield from read(stream, self._builder, where)
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            raise TableError(f"{where} is damaged after {number_of(self._done, 'post')}: {error}.") from None
        except OSError as error:
            raise TableError(f"Cannot read {where}: {error.strerror}.") from None


class DuplicateWatch:
    """Counts posts whose id came before, in bounded memory; the posts themselves are not touched."""

    def __init__(self) -> None:
        self._seen: set[int] = set()
        self._count = 0
        self._first = ""

    def see(self, id_: str) -> None:
        """Notes one id."""
        key = hash(id_)
        if key in self._seen:
            self._count += 1
            self._first = self._first or id_
        elif len(self._seen) < _REMEMBERED_IDS:
            self._seen.add(key)

    @property
    def warning(self) -> str | None:
        """One sentence about what was seen, or None."""
        if not self._count:
            return None
        least = "" if len(self._seen) < _REMEMBERED_IDS else "at least "
        return (
            f"ids that came before: {least}{self._count:,} (the first is '{self._first}'); all rows are kept, in order."
        )


def read_rows(path: Path) -> Iterator[dict[str, Any]]:
    """Yields the rows of a table, each with all its columns, whatever they hold; a text file has the column `text`."""
    for post in readable(PostReader(path, builder=RowBuilder()), path):
        yield dict(post.extra) or {"text": post.text}


def read_whole(path: Path) -> list[dict[str, Any]]:
    """Returns all rows of a table, each with every column that one of them has; of JSON, None where it is not."""
    rows = list(read_rows(path))
    columns = dict.fromkeys(name for row in rows for name in row)
    return [columns | row for row in rows]


def readable(posts: Iterable[Post], path: object) -> Iterator[Post]:
    """Yields the posts of a table of which every row must be readable.

    Raises:
        TableError: One is not.
    """
    for post in posts:
        if post.error is not None:
            raise TableError(f"'{path}': {post.error.message}")
        yield post
