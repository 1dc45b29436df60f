"""Posts from files: with the results that `crossguard score` wrote for them, or scored on the way in."""

from __future__ import annotations

import contextlib
import hashlib
import json
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any, Final

from crossguard.checked_settings import parse
from crossguard.data.cells import as_text
from crossguard.data.columns import plain_name
from crossguard.data.digests import is_other
from crossguard.data.image_limits import ImageLimits
from crossguard.data.image_sources import data_url, is_url, read_encoded
from crossguard.data.tables import PostReader
from crossguard.data.writing import read_decisions
from crossguard.errors import ConfigError, ImageError, InputError, TableError
from crossguard.records import ImageSource, Post
from crossguard.review.console import Console
from crossguard.review.intake import Received
from crossguard.review.submissions import Submission
from crossguard.wire import MISSING
from crossguard.wire.suggestions import as_item

BATCH: Final = 200
_OBJECTS: Final = {
    "report": '{"reporter": "u9", "reason": "insult"}',
    "expected": '{"action": "block", "labels": {"otherhate": "yes"}}',
}
_EXTRA: Final = ("author", "language", "posted_at", "queue", *_OBJECTS)


@dataclass(frozen=True, slots=True)
class _Row:
    """A row of a file, or a line of it: a post, or the reason why the console does not take it as one."""

    place: str  # such as "row 2"
    id: str
    post: Submission | None
    reason: str = ""

    @property
    def told(self) -> str:
        return f"{self.place}: {self.reason}"


def take_file(
    console: Console,
    path: Path,
    *,
    source: str = "file",
    results: Path | None = None,
    note: Callable[[str], object] = warnings.warn,
    **reading: Any,
) -> Iterator[Received]:
    """Takes the posts of a table into the console and yields what became of them, a batch or a row at a time.

    A table that was taken before, in whole or in part, adds its new posts only, so an interrupted run can be repeated.
    A row that the console does not take costs no other: it is left out and told.
    Besides what scoring reads, it may have the columns of `_EXTRA`. `results` are what `crossguard score` wrote for it;
    else the model scores them. `reading` goes to `PostReader`.
    """
    _check_source(source)
    table = PostReader(path, extra=True, **reading)
    posts = (_row_of(post, f"row {number}", source) for number, post in enumerate(table, 1))
    rows = posts if results is None else _joined(posts, path, results)
    yield from _take(console, _named(rows, table))
    for told in table.unread:
        note(told)


def take_suggestions(console: Console, path: Path, *, source: str) -> Iterator[Received]:
    """Takes what `crossguard serve --suggestions` wrote as votes: one item per text, one vote per caller.

    A file that was taken before changes nothing. The console's model scores the texts.
    """
    _check_source(source)
    with path.open("rb") as file:
        yield from _take(console, (_suggestion(line, f"line {n}", source) for n, line in enumerate(file, 1)))


def _check_source(source: str) -> None:
    """Refuses a name that would be wrong in every row."""
    parse(Submission, {"id": "1", "source": source}, "The name of the source")


def _take(console: Console, rows: Iterator[_Row]) -> Iterator[Received]:
    while batch := list(islice(rows, BATCH)):
        posts = console.with_decisions([row.post for row in batch if row.post is not None])
        try:
            received = console.intake.take(posts, console.now())
        except InputError:  # one of them is refused, and none was stored
            scored = iter(posts)
            for row in batch:
                yield _alone(console, row if row.post is None else replace(row, post=next(scored)))
        else:
            yield replace(received, left_out=[row.told for row in batch if row.post is None])


def _alone(console: Console, row: _Row) -> Received:
    if row.post is not None:
        try:
            return console.intake.take([row.post], console.now())
        except InputError as error:
            row = replace(row, reason=str(error))
    return Received(0, 0, 0, left_out=[row.told])


def _suggestion(line: bytes, place: str, source: str) -> _Row:
    try:
        item = as_item(json.loads(line))
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return _Row(place, "", None, "no suggestion as `crossguard serve --suggestions` writes it.")
    return _row(place, item | {"source": source})


def _row_of(post: Post, place: str, source: str) -> _Row:
    if post.error is not None:
        return _Row(place, post.id, None, post.error.message)
    cells = {plain_name(name): cell for name, cell in post.extra.items()} | dict(post.extra)
    extra = {name: _value(name, cells[name]) for name in _EXTRA if cells.get(name) not in (None, "")}
    for name in extra.keys() & _OBJECTS.keys():
        if not isinstance(extra[name], dict):
            return _Row(place, post.id, None, f"'{name}' must be an object of JSON, such as {_OBJECTS[name]}.")
    images = tuple(map(_data_url, post.images))
    fields = {"id": post.id, "source": source, "text": post.text, "image_text": post.image_text, "images": images}
    return _row(place, fields | extra)


def _row(place: str, fields: dict[str, Any]) -> _Row:
    try:
        return _Row(place, fields["id"], parse(Submission, fields, place))
    except ConfigError as error:
        return _Row(place, fields["id"], None, str(error).removeprefix(f"{place}: "))


def _value(name: str, cell: Any) -> Any:
    """Returns a cell: a number that is somebody's key as text, an object of JSON in a text as that object."""
    if name == "author" and isinstance(cell, int | float):
        return as_text(cell, name) or None
    if isinstance(cell, str) and cell.lstrip().startswith("{"):
        with contextlib.suppress(ValueError, RecursionError):
            cell = json.loads(cell)
    return _without_empty(cell)


def _without_empty(cell: Any) -> Any:
    """Returns a cell without empty fields: in Parquet, an object has those that only other rows have, too."""
    if not isinstance(cell, dict):
        return cell
    return {name: _without_empty(value) for name, value in cell.items() if value is not None}


def _named(rows: Iterator[_Row], table: PostReader) -> Iterator[_Row]:
    """Names the rows of a table without ids by what they hold: where some were deleted, the others are the same posts.

    Row 2 of another table is another post; of rows that hold the same, each is one. A table with ids keeps them.
    """
    times: Counter[str] = Counter()
    for row in rows:
        post = row.post
        if post is None or not table.numbered:  # which the reader knows once the first row is read
            yield row
            continue
        content = json.dumps([post.text, post.image_text, post.images]).encode()
        name = f"row-{hashlib.sha256(content).hexdigest()[:16]}"
        times[name] += 1
        id_ = name if times[name] == 1 else f"{name}-{times[name]}"
        decision = None if post.decision is None else post.decision | {"id": id_}
        yield replace(row, post=post.model_copy(update={"id": id_, "decision": decision}))


def _joined(rows: Iterator[_Row], path: Path, results: Path) -> Iterator[_Row]:
    outcomes = read_decisions(results)
    for row in rows:
        outcome, post = next(outcomes, None), row.post
        if outcome is None or outcome.id != row.id:
            seen = "its end" if outcome is None else f"'{outcome.id}'"
            raise TableError(
                f"'{results}' does not fit '{path}': post '{row.id}' meets {seen}. "
                f"Write it with: crossguard score {path} -o {results}"
            )
        if post is None:
            yield row
            continue
        if not post.images and is_other(outcome, Post(post.id, post.text, image_text=post.image_text)):
            raise TableError(
                f"'{results}' does not fit '{path}': post '{post.id}' had another text when it was scored."
            )
        yield replace(row, post=post.model_copy(update={"decision": outcome.to_dict()}))


def _data_url(source: ImageSource) -> str:
    """Returns an image as a data: URL; a link, or a file that cannot be read, is told on the item's page."""
    if isinstance(source, str) and is_url(source):
        return source
    assert isinstance(source, str | bytes)
    try:
        return data_url(read_encoded(source, ImageLimits()))
    except ImageError as error:
        return f"{MISSING}{error}"
