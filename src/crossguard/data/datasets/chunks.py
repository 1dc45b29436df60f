"""Training tables some rows at a time, from this machine or a storage, so that none must fit into memory."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from crossguard.data.datasets.generic import annotated_rows, dataset
from crossguard.data.datasets.rows import FIXED, LOST_IMAGES, as_table
from crossguard.data.parquet_rows import IN_PIECES
from crossguard.data.storage import Entry, Storage
from crossguard.errors import TableError

if TYPE_CHECKING:
    import pyarrow as pa

ROWS: Final = 16_384


def training_files(place: Storage) -> list[Entry]:
    """Returns the files of one training table, in order: the one named, or the Parquet files of a folder."""
    entry = place.entry(place.path)
    if entry is not None:
        return [entry]
    found = place.list(place.path, deep=True)
    return [entry for entry in found if PurePosixPath(entry.path).suffix in {".parquet", ".pq"}]


class Chunk(NamedTuple):
    """A stretch of a training table."""

    address: str  # of its file
    table: pa.Table
    unanswered: Sequence[str] = ()  # the splits of rows that were left out, because they have no answer for any label


def read_chunks(place: Storage, labels: Sequence[str]) -> Iterator[Chunk]:
    """Yields each stretch of a training table; at least one, with or without rows.

    Any other table of annotated posts is turned into one, with those of the labels that it has; it must lie on this
    machine.

    Raises:
        TableError: A file cannot be read, or is no table of annotated posts.
    """
    for entry in training_files(place):
        address = place.address_of(entry.path)
        stored = _open(place, entry)
        if stored is not None and set(FIXED) <= set(stored.schema_arrow.names):
            yield from (Chunk(address, table) for table in _stored(stored, address))
        elif place.is_local:
            yield from _made(Path(entry.path), labels, address)
        else:
            raise TableError(
                f"'{address}' is no training table: from a storage, these are Parquet with the columns "
                f"{', '.join(FIXED)} and one per label, as `crossguard prepare` writes them."
            )


def lost_images(place: Storage, splits: Iterable[str]) -> int:
    """Returns how many images the rows of these splits lost while a table was prepared."""
    wanted, lost = set(splits), 0
    for entry in training_files(place):
        stored = _open(place, entry)
        noted = {} if stored is None else json.loads((stored.schema_arrow.metadata or {}).get(LOST_IMAGES, b"{}"))
        lost += sum(int(noted.get(split, 0)) for split in wanted)
    return lost


def _open(place: Storage, entry: Entry) -> Any:
    """Opens a Parquet file; returns None for any other."""
    from pyarrow import ArrowException, parquet

    try:
        return parquet.ParquetFile(place.open(entry), **IN_PIECES)
    except (ArrowException, OSError, ValueError):
        return None


def _stored(file: Any, address: str) -> Iterator[pa.Table]:
    import pyarrow as pa

    try:
        if not file.metadata.num_rows:
            yield file.schema_arrow.empty_table()
        for batch in file.iter_batches(batch_size=ROWS):
            yield pa.Table.from_batches([batch])
    except (pa.ArrowException, OSError) as error:
        raise TableError(f"Cannot read the table {address}: {error}. Write it with: crossguard prepare") from None


def _made(path: Path, labels: Sequence[str], address: str) -> Iterator[Chunk]:
    known = dataset(path).labels
    # The others stay empty, so that they can be named where none is a label.
    taken = [name for name in known if name.partition("@")[0] in labels]
    rows, first = annotated_rows(path, taken), True
    while (some := list(itertools.islice(rows, ROWS))) or first:
        first = False
        table = as_table([row for row in some if row.annotated], known, path.stem, path.parent)
        yield Chunk(address, table, [row.split for row in some if not row.annotated])
