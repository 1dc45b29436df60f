"""Posts of one table, or of all tables in a folder, here or in a storage."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from crossguard.data.binary_rows import ExcelPosts, ParquetPosts
from crossguard.data.columns import PostBuilder
from crossguard.data.storage import Entry, Storage, decompressed, is_remote, suffix_of
from crossguard.data.tables import SUFFIX_FORMATS, TEXT_READERS, PostReader
from crossguard.errors import TableError
from crossguard.records import Post


def open_posts(path: Path | str, builder: PostBuilder) -> Iterable[Post]:
    """Returns the posts of a file, or of the tables in a folder or a storage, in the order of their names.

    Raises:
        TableError: There is no table.
    """
    if not is_remote(str(path)) and not Path(path).is_dir():
        return PostReader(path, builder=builder)
    place = Storage(str(path))
    entry = place.entry(place.path)
    files = [entry] if entry else [each for each in place.list(place.path, deep=True) if each.size]
    tables = [(each, kind) for each in files if (kind := SUFFIX_FORMATS.get(suffix_of(each.path)))]
    if not tables:
        raise TableError(f"There is no table in '{path}'. Known suffixes: {', '.join(SUFFIX_FORMATS)}.")
    return (post for each, kind in tables for post in _read(place, each, kind, builder))


def _read(place: Storage, entry: Entry, kind: str, builder: PostBuilder) -> Iterator[Post]:
    where = f"'{place.address_of(entry.path)}'"
    with place.open(entry) as file:
        if kind == "parquet":
            yield from ParquetPosts(file, builder, where)
        elif kind == "xlsx":
            yield from ExcelPosts(file, builder, where)
        else:
            yield from TEXT_READERS[kind](decompressed(file, entry.path), builder, where)
