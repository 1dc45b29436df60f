"""What people decided, as a table that `crossguard calibrate`, `evaluate` and `train` take as it is."""

from __future__ import annotations

import csv
import filecmp
import json
import re
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection, select

from crossguard.data.datasets.rows import FIXED
from crossguard.data.tables import read_rows
from crossguard.errors import InputError, OutputError, TableError, needs_extra
from crossguard.review.intake import uniform
from crossguard.review.settings import EXPORTED
from crossguard.review.store.claims import DECIDED
from crossguard.review.store.database import Database
from crossguard.review.store.items import not_demo
from crossguard.review.store.schema import images, items
from crossguard.saving import telling_of

SUFFIXES: Final = (".jsonl", ".csv", ".parquet")
_TRAIN, _VAL = 0.7, 0.85
_NOTHING: Final = (
    "Nothing was written: no item{} is decided yet. Those of the demo count only while there are no others. Decide "
    "some in the console first."
)


@dataclass(slots=True)
class Exported:
    """Numbers of what was written, and what was not; counted as the rows are read."""

    rows: int = 0
    images: int = 0
    erased: int = 0
    more_images: int = 0  # images beside the first of a post, which a table has no place for
    unnamed: set[str] = field(default_factory=set)  # labels that votes hold and that were not asked for


def export(
    database: Database,
    labels: Sequence[str],
    path: Path,
    *,
    with_images: bool = True,
    queues: Sequence[str] | None = None,
) -> Exported:
    """Writes every decided item; of `queues`, those that are in them, as somebody else may not see the others.

    A label's column holds the mean of the votes, in [0, 1]. `split` divides by a hash of the words, so near-duplicates
    stay together. `weight` is the inverse of the probability of having been taken in. Images lie in a folder beside.
    An earlier export stays as it is until this one is complete, which then takes its place, images included.

    Raises:
        InputError: Nothing is decided that could be written; nothing is.
        OutputError: The suffix is unknown, or the file or an image cannot be written.
    """
    path = path.resolve()  # a link stays one
    if path.suffix not in SUFFIXES or path.is_dir():
        raise OutputError(f"'{path}' must be a file that ends in one of {', '.join(SUFFIXES)}.")
    done = Exported()
    with telling_of(path):
        with tempfile.TemporaryDirectory(prefix=f".{path.stem}-", dir=path.parent) as scratch:
            draft = Path(scratch) / path.name
            folder = draft.with_name(f"{path.stem}-images") if with_images else None
            with database.engine.connect() as db:  # one transaction, as rows are read while they are written
                _write(draft, labels, _rows(db, labels, folder, done, queues))
            if not done.rows and not done.erased:  # an earlier table of what is erased by now has to go
                raise InputError(_NOTHING.format("" if queues is None else " in your queues"))
            # No row of either table points to nothing, wherever this is cut short.
            idle = set() if folder is None else _move_images(folder, path)
            draft.replace(path)
        for image in idle:
            image.unlink(missing_ok=True)
    return done


def _rows(
    db: Connection, labels: Sequence[str], folder: Path | None, done: Exported, queues: Sequence[str] | None
) -> Iterator[dict[str, Any]]:
    seen: set[str] = set()
    wanted = [items.c.state == DECIDED, items.c.kind != "appeal", not_demo(db, items.c.source)]
    wanted += [] if queues is None else [items.c.queue.in_(queues)]
    for row in db.execution_options(yield_per=500).execute(select(items).where(*wanted).order_by(items.c.id)):
        if row.erased_at is not None:
            done.erased += 1
            continue
        done.rows += 1
        outcome = row.outcome
        done.unnamed.update(name for name in outcome["labels"] if name not in labels)
        name = row.external
        while name in seen:  # a post that was both flagged and reported is two items
            name = f"{name}#{row.id}"
        seen.add(name)
        yield {
            "id": name,
            "text": row.text,
            "image_text": row.image_text,
            "image_path": "" if folder is None else _image(db, row.id, folder, done),
            "split": _split(row),
            "source": row.source,
            "stratum": row.stratum,
            "hateful": None,
            **{label: outcome["labels"].get(label) for label in labels},
            "action": outcome["action"],
            "clause": outcome["clause"],
            "votes": outcome["votes"],
            "agreed": outcome["agreed"],
            "weight": 1.0 / row.inclusion,
            "language": row.language,
            "decided_at": row.decided_at,
        }


def _image(db: Connection, item: int, folder: Path, done: Exported) -> str:
    there = select(images.c.jpeg).where(images.c.item == item, images.c.jpeg.is_not(None)).order_by(images.c.position)
    jpegs = db.execute(there).scalars().all()
    if not jpegs:
        return ""
    folder.mkdir(exist_ok=True)
    (folder / f"{item}.jpg").write_bytes(jpegs[0])
    done.images += 1
    done.more_images += len(jpegs) - 1
    return f"{folder.name}/{item}.jpg"


def _move_images(new: Path, table: Path) -> set[Path]:
    """Moves images beside a table; returns those of the table that it replaces, of posts that are erased by now.

    Raises:
        OutputError: An image of somebody else's is in the way.
    """
    folder = table.with_name(new.name)
    earlier, moves = _images_of(table, folder), {folder / image.name: image for image in new.glob("*")}
    for place, image in moves.items():
        if place not in earlier and place.exists() and not filecmp.cmp(place, image, shallow=False):
            raise OutputError(f"'{place}' already exists, and not from an earlier export. Choose another name.")
    if moves:
        folder.mkdir(exist_ok=True)
    for place, image in moves.items():
        image.replace(place)
    return earlier.difference(moves)


def _images_of(table: Path, folder: Path) -> set[Path]:
    own, found = re.compile(rf"{re.escape(folder.name)}/\d+\.jpg"), set()
    with suppress(TableError):  # there is none, or another file of that name
        for row in read_rows(table):
            if own.fullmatch(name := str(row.get("image_path"))):
                found.add(table.parent / name)
    return found


def _split(row: Any) -> str:
    place = uniform("split", "", row.likeness or f"{row.source} {row.external}")
    return "train" if place < _TRAIN else "val" if place < _VAL else "test"


def _write(path: Path, labels: Sequence[str], rows: Iterator[dict[str, Any]]) -> None:
    columns = list(dict.fromkeys([*FIXED, *labels, *EXPORTED]))  # `hateful` may be a label
    if path.suffix == ".parquet":
        _write_parquet(path, labels, columns, rows)
    elif path.suffix == ".csv":
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, columns)
            writer.writeheader()
            writer.writerows(rows)
    else:
        with path.open("w", encoding="utf-8") as file:
            file.writelines(f"{json.dumps(row, ensure_ascii=False)}\n" for row in rows)


def _write_parquet(path: Path, labels: Sequence[str], columns: Sequence[str], rows: Iterator[dict[str, Any]]) -> None:
    with needs_extra("Writing Parquet", "parquet"):
        import pyarrow as pa
        import pyarrow.parquet as pq
    numbers = {name: pa.float32() for name in ("hateful", *labels)}
    others = {"votes": pa.int32(), "agreed": pa.bool_(), "weight": pa.float64(), "decided_at": pa.float64()}
    schema = pa.schema([(name, (numbers | others).get(name, pa.string())) for name in columns])
    pq.write_table(pa.Table.from_pylist(list(rows), schema=schema), path, compression="zstd")
