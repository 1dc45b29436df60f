"""Posts of one file, or of all tables in a folder, here or in a storage: what jobs, evaluation and training read."""

from __future__ import annotations

import itertools
import re
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Final

from crossguard.data.arrow_rows import ArrowPosts
from crossguard.data.excel_rows import ExcelPosts
from crossguard.data.formats import KINDS, TableKind, how_to_score_images, images_among, is_read_in_jobs, kind_of
from crossguard.data.image_formats import SUFFIXES
from crossguard.data.parquet_rows import ParquetPosts
from crossguard.data.post_builder import PostBuilder
from crossguard.data.ranges import Ranges, decompressed
from crossguard.data.storage import Entry, Storage, has_wildcard, is_remote
from crossguard.data.tables import TEXT_READERS, PostReader
from crossguard.data.tar_posts import read_tar
from crossguard.errors import TableError, as_sentence, number_of
from crossguard.records import Post

# What Hugging Face datasets keep beside their tables.
_NO_TABLES: Final = re.compile(r"(dataset_infos?|dataset_dict|state)\.json|cache-\w+\.arrow")
# What `prepare` writes beside one.
_REPORT: Final = ".report.json"


@dataclass(slots=True)
class LeftOut:
    """What lies in a folder and is not read."""

    suffixes: Counter[str] = field(default_factory=Counter)  # of files that are no tables
    jobs: list[str] = field(default_factory=list)  # subfolders with decisions of a job
    locked: list[Entry] = field(default_factory=list)  # subfolders that this user may not read

    @property
    def images(self) -> int:
        """How many of the files are images."""
        return sum(self.suffixes[suffix] for suffix in SUFFIXES)

    @property
    def others(self) -> Counter[str]:
        """The files that are neither tables nor images, by suffix."""
        return Counter({suffix: count for suffix, count in self.suffixes.items() if suffix not in SUFFIXES})


def table_files(
    place: Storage, known: TableKind | None = None, left_out: LeftOut | None = None
) -> Iterator[tuple[Entry, TableKind]]:
    """Yields the tables of a place and how each is read, in the order of their names; none for a folder without any.

    Subfolders with decisions of a job are left out.

    Args:
        place: A file, a folder with all its subfolders, or a pattern.
        known: The format of all files; by their names when None.
        left_out: Gets what is left out.

    Raises:
        LockedError: This user may not read the folder, or a subfolder, and nothing gets what is left out.
        TableError: There is no such place, no file matches the pattern, or the format of the one file is not clear.
    """
    entry = place.entry(place.path)
    if entry is not None:
        kind = known or kind_of(entry.path)
        if kind is None:
            raise _no_table(place.address)
        yield entry, kind
        return
    jobs, locked = ([], None) if left_out is None else (left_out.jobs, left_out.locked)
    is_folder = place.is_folder(place.path)
    if is_folder:
        listed = place.list(place.path, deep=True, jobs=jobs, locked=locked)
        entries: Iterator[Entry] = (each for each in listed if not _is_no_table(place, each.path))
    elif has_wildcard(place.path):
        entries = place.glob(jobs=jobs, locked=locked)
    else:
        raise TableError(f"There is no '{place.address}': no file, no folder, and no pattern that matches.")
    found = images = False
    for each in entries:
        kind = known or kind_of(each.path)
        if kind is not None:
            found = True
            yield each, kind
        elif left_out is not None:
            left_out.suffixes[_told_suffix(each.path)] += 1
        images = images or bool(images_among([each.path]))
    if not found and not is_folder:
        raise _no_match(place.address, jobs, images=images)


def _is_no_table(place: Storage, path: str) -> bool:
    """Whether a file of a folder only says something about the tables there, although its name is that of one."""
    if _NO_TABLES.fullmatch(PurePosixPath(path).name):
        return True
    table = path.removesuffix(_REPORT)
    return table != path and any(place.entry(f"{table}{suffix}") for suffix in (".parquet", ".pq"))


def _no_table(address: str) -> TableError:
    """Returns the error of a file whose name is not that of a table."""
    if images_among([address]):
        return TableError(how_to_score_images([address]))
    return TableError(
        f"The format of '{address}' is not clear from its name. Known suffixes: {', '.join(KINDS)}; "
        "texts and tar files also with .gz or .zst. Say which it is with --input-format."
    )


def _no_match(pattern: str, jobs: Sequence[str], *, images: bool) -> TableError:
    """Returns the error of a pattern that matches no table."""
    if images:
        return TableError(how_to_score_images([pattern]))
    left = f" Left out, as they hold decisions of a job: {', '.join(jobs)}." if jobs else ""
    return TableError(f"No file that can be read matches '{pattern}'.{left} Known suffixes: {', '.join(KINDS)}.")


def _told_suffix(path: str) -> str:
    """Returns the suffix of a name in lower case; of what is packed or a copy, that of the table, too: `.csv.bz2`."""
    table, suffix = (["", "", *PurePosixPath(path.lower()).suffixes])[-2:]
    return f"{table}{suffix}" if table in KINDS else suffix


def read_table(
    file: Ranges,
    entry: Entry,
    kind: TableKind,
    builder: PostBuilder,
    where: str,
    *,
    first: int = 1,
    groups: tuple[int, int] | None = None,
    skip: int = 0,
) -> Iterator[Post]:
    """Returns the posts of an open file, or of those ranges of it that were opened; messages call it `where`.

    `first` is the number of its first line, or of the first row of an Arrow file. Of a Parquet file, `groups` are the
    first row group to read and the one behind the last, all when None, and so many rows of them are left out: `skip`.
    """
    if kind == "parquet":
        table = ParquetPosts(file, builder, where)
        return table.read(range(*(groups or (0, len(table.groups)))), skip)
    if kind == "arrow":
        return ArrowPosts(file, builder, where).read(first)
    if kind == "xlsx":
        return iter(ExcelPosts(file, builder, where))
    if kind == "tar":
        return read_tar(decompressed(file, entry.path), builder, where)
    return TEXT_READERS[kind](decompressed(file, entry.path), builder, where, first)


def open_posts(path: Path | str, builder: PostBuilder, image_root: Path | None = None) -> Iterable[Post]:
    """Returns the posts of a file, or of the tables in a folder or a storage, in the order of their names.

    Of several tables, relative image paths start from the folder of each, unless there is an `image_root`.

    Raises:
        TableError: There is no table.
    """
    address = str(path)
    if not is_remote(address) and not Path(path).is_dir() and not is_read_in_jobs(address):
        return PostReader(path, builder=builder)
    place = Storage(address)
    tables = (
        found for found in table_files(place) if found[0].size or found[0].problem
    )  # a file of 0 bytes has no post
    first = next(tables, None)
    if first is None:
        raise TableError(f"There is no table in '{path}', or only empty ones. Known suffixes: {', '.join(KINDS)}.")
    found = itertools.chain([first], tables)
    return (post for each, kind in found for post in _read(place, each, kind, builder, image_root))


def _read(
    place: Storage, entry: Entry, kind: TableKind, builder: PostBuilder, image_root: Path | None
) -> Iterator[Post]:
    address = place.address_of(entry.path)
    builder.image_root = image_root or Path(address).parent
    where, count = f"'{address}'", 0
    with place.open(entry) as file:
        try:
            for post in read_table(file, entry, kind, builder, where):
                count += 1
                yield post
        except (EOFError, zlib.error, OSError) as error:  # of what unpacks; a storage that fails is a StorageError
            raise TableError(f"{where} is damaged after {number_of(count, 'post')}: {as_sentence(error)}") from None
