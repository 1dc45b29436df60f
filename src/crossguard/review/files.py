"""Posts from files: with the results that `crossguard score` wrote for them, or scored on the way in."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import warnings
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any, Final

from crossguard.checked_settings import parse
from crossguard.data.cells import as_text
from crossguard.data.columns import plain_name
from crossguard.data.digests import is_other
from crossguard.data.image_limits import ImageLimits
from crossguard.data.image_sources import is_url, read_encoded
from crossguard.data.tables import PostReader, readable
from crossguard.data.writing import read_decisions
from crossguard.errors import ImageError, TableError
from crossguard.records import ImageSource, Post
from crossguard.review.console import Console
from crossguard.review.intake import Received
from crossguard.review.submissions import MISSING, Submission
from crossguard.wire.suggestions import as_item

BATCH: Final = 200
_OBJECTS: Final = {
    "report": '{"reporter": "u9", "reason": "insult"}',
    "expected": '{"action": "block", "labels": {"otherhate": "yes"}}',
}
_EXTRA: Final = ("author", "language", "posted_at", "queue", *_OBJECTS)


def take_file(
    console: Console,
    path: Path,
    *,
    source: str = "file",
    results: Path | None = None,
    image_root: Path | None = None,
    note: Callable[[str], object] = warnings.warn,
) -> Iterator[Received]:
    """Takes the posts of a table into the console and yields what became of each batch.

    A table that was taken before, in whole or in part, adds its new posts only, so an interrupted run can be repeated.
    Besides what scoring reads, it may have the columns of `_EXTRA`. `results` are what `crossguard score` wrote for it;
    else the model scores them.
    """
    table = PostReader(path, image_root=image_root or path.parent, extra=True)
    posts = _submissions(table, path, source)
    if results is not None:
        posts = _joined(posts, path, results)
    yield from _take(console, (_named(post) if table.numbered else post for post in posts))
    for told in table.unread:
        note(told)


def take_suggestions(console: Console, path: Path, *, source: str) -> Iterator[Received]:
    """Takes what `crossguard serve --suggestions` wrote as votes: one item per text, one vote per caller.

    A file that was taken before changes nothing. The console's model scores the texts.
    """
    with path.open("rb") as file:
        yield from _take(console, (_suggestion(line, f"'{path}' line {n}", source) for n, line in enumerate(file, 1)))


def _take(console: Console, posts: Iterator[Submission]) -> Iterator[Received]:
    while batch := list(islice(posts, BATCH)):
        yield console.intake.take(console.with_decisions(batch), console.now())


def _suggestion(line: bytes, where: str, source: str) -> Submission:
    try:
        item = as_item(json.loads(line))
    except (ValueError, TypeError, KeyError, AttributeError):
        raise TableError(f"{where} is no suggestion as `crossguard serve --suggestions` writes it.") from None
    return parse(Submission, item | {"source": source}, where)


def _submissions(table: PostReader, path: Path, source: str) -> Iterator[Submission]:
    for place, post in enumerate(readable(table, path), 1):
        cells = {plain_name(name): cell for name, cell in post.extra.items()} | dict(post.extra)
        extra = {name: _value(name, cells[name]) for name in _EXTRA if cells.get(name) not in (None, "")}
        for name in extra.keys() & _OBJECTS.keys():
            if not isinstance(extra[name], dict):
                raise TableError(f"'{path}' row {place}: '{name}' must be an object of JSON, such as {_OBJECTS[name]}.")
        images = tuple(map(_data_url, post.images))
        fields = {"id": post.id, "source": source, "text": post.text, "image_text": post.image_text, "images": images}
        yield parse(Submission, fields | extra, f"'{path}' row {place}")


def _value(name: str, cell: Any) -> Any:
    """Returns a cell: a number that is somebody's key as text, an object of JSON in a text as that object."""
    if name == "author" and isinstance(cell, int | float):
        return as_text(cell, name) or None
    if isinstance(cell, str) and cell.lstrip().startswith("{"):
        with contextlib.suppress(ValueError):
            cell = json.loads(cell)
    return _without_empty(cell)


def _without_empty(cell: Any) -> Any:
    """Returns a cell without empty fields: in Parquet, an object has those that only other rows have, too."""
    if not isinstance(cell, dict):
        return cell
    return {name: _without_empty(value) for name, value in cell.items() if value is not None}


def _named(post: Submission) -> Submission:
    """Returns a post of a table without ids under a name of its own: row 2 of another table is another post."""
    held = json.dumps([post.text, post.image_text, post.images]).encode()
    id_ = f"{post.id}-{hashlib.sha256(held).hexdigest()[:16]}"
    decision = None if post.decision is None else post.decision | {"id": id_}
    return post.model_copy(update={"id": id_, "decision": decision})


def _joined(posts: Iterator[Submission], path: Path, results: Path) -> Iterator[Submission]:
    outcomes = read_decisions(results)
    for post in posts:
        outcome = next(outcomes, None)
        if outcome is None or outcome.id != post.id:
            seen = "its end" if outcome is None else f"'{outcome.id}'"
            raise TableError(
                f"'{results}' does not fit '{path}': post '{post.id}' meets {seen}. "
                f"Write it with: crossguard score {path} -o {results}"
            )
        if not post.images and is_other(outcome, Post(post.id, post.text, image_text=post.image_text)):
            raise TableError(
                f"'{results}' does not fit '{path}': post '{post.id}' had another text when it was scored."
            )
        yield post.model_copy(update={"decision": outcome.to_dict()})


def _data_url(source: ImageSource) -> str:
    """Returns an image as a data: URL; a link, or a file that cannot be read, is told on the item's page."""
    if isinstance(source, str) and is_url(source):
        return source
    assert isinstance(source, str | bytes)
    try:
        encoded = read_encoded(source, ImageLimits())
    except ImageError as error:
        return f"{MISSING}{error}"
    return f"data:application/octet-stream;base64,{base64.b64encode(encoded).decode()}"
