"""Posts from Arrow's record batches, which Parquet and Arrow files and tables in memory come in."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import Any, Final

from crossguard.data.arrow_times import with_ids_as_text, with_times_as_text
from crossguard.data.post_builder import LOOKED_AT, PostBuilder
from crossguard.errors import TableError, as_sentence
from crossguard.records import Post

# So many are Python objects at a time, images and all.
ROWS: Final = 64


def unused_texts(schema: Any, builder: PostBuilder) -> list[str]:
    """Returns the columns of texts that a builder gets to see nothing of, and may want to."""
    if builder.extra or not builder.looks_for_words:
        return []
    inside = builder.columns.title(builder.found) is not None
    texts = [field.name for field in schema if _holds_texts(field.type, inside=inside)]
    return [name for name in texts if name not in builder.found.values() and schema.names.count(name) == 1]


def _holds_texts(type_: Any, *, inside: bool) -> bool:
    """Whether a column holds texts, or, where that matters, lists or objects with texts and without bytes."""
    import pyarrow as pa

    nested = inside and pa.types.is_nested(type_) and "string" in str(type_) and "binary" not in str(type_)
    return nested or pa.types.is_string(type_) or pa.types.is_large_string(type_)


def look_at(batches: Iterator[Any], builder: PostBuilder) -> None:
    """Shows a builder the first rows of the first batch; what is damaged is told where posts are read."""
    import pyarrow as pa

    with suppress(pa.ArrowException, OSError, StopIteration):
        for row in rows_of(next(batches).slice(0, LOOKED_AT), None):
            builder.look(row or {}, builder.found)


def posts_of(batches: Iterable[Any], builder: PostBuilder, where: str, first: int = 1, skip: int = 0) -> Iterator[Post]:
    """Yields the posts of record batches without the first `skip` rows; `first` is the number of the first row.

    Raises:
        TableError: They are damaged.
    """
    import pyarrow as pa

    number = first - 1
    try:
        for batch in batches:
            skipped = min(skip, len(batch))
            skip -= skipped
            number += skipped
            for row in rows_of(batch.slice(skipped), builder.found.get("id")):
                number += 1
                if row is None:
                    yield Post.failed(f"row-{number}", "invalid_utf8", f"Row {number}: not valid UTF-8.")
                else:
                    yield builder.build(row, f"row-{number}")
    except (pa.ArrowException, OSError) as error:
        raise TableError(f"{where} is damaged after row {number}: {as_sentence(error)}") from None


def rows_of(batch: Any, id_: str | None) -> Iterator[dict[str, Any] | None]:
    """Yields the rows of a record batch, dates and times as texts; None for one with a text that is not UTF-8.

    `id_` is the column of ids, if there is one.
    """
    for part in (batch.slice(start, ROWS) for start in range(0, len(batch), ROWS)):
        try:
            yield from _rows(part, id_)
        except UnicodeDecodeError:
            for index in range(len(part)):
                try:
                    yield _rows(part.slice(index, 1), id_)[0]
                except UnicodeDecodeError:
                    yield None


def _rows(batch: Any, id_: str | None) -> list[dict[str, Any]]:
    import pyarrow as pa

    names = batch.schema.names
    forms = (with_ids_as_text if name == id_ else with_times_as_text for name in names)
    columns = [as_text(column) for as_text, column in zip(forms, batch.columns, strict=True)]
    return list(pa.RecordBatch.from_arrays(columns, names=names).to_pylist())
