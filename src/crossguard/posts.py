"""What people have at hand becomes posts: one of any shape, a list, an iterator, a data frame, an Arrow table."""

from __future__ import annotations

import os
import re
import warnings
from collections.abc import Iterable, Iterator, Mapping, MutableSequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, Protocol, TypeAlias

from crossguard.data.arrow_batches import rows_of
from crossguard.data.cells import as_text
from crossguard.data.columns import Columns, OwnColumns, Unread, unread
from crossguard.data.image_formats import SUFFIXES
from crossguard.data.image_sources import as_image, is_missing
from crossguard.data.post_builder import PostBuilder
from crossguard.errors import InputError, PostError, TableError
from crossguard.records import Post, PostFailure


class ArrowTable(Protocol):
    """A table of pandas, polars or Arrow: whatever has the Arrow C stream interface."""

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object: ...


PostLike: TypeAlias = "Post | Mapping[str, Any] | str"
PostsLike: TypeAlias = "Iterable[PostLike] | ArrowTable"
_UNREAD: Final[Mapping[Unread, str]] = {
    "words": "is not scored; join it to the text if people read both",
    "images": "is not read: these posts are scored without theirs. Give image=... or an image_path; several are "
    "a Post with more_images",
    "bytes": "is not read; if it holds an encoded image, call it image",
    "addresses": "is not read: images are never fetched here. Give image=... or an image_path",
    "file": "is not read; if it names an image, call it image_path",
}
_MAPPINGS: Final = PostBuilder(OwnColumns(), Path(), extra=True)
_MORE: Final = "more_images"
_LONGEST_NAME: Final = 250
_TABLES: Final = (".csv", ".json", ".jsonl", ".parquet", ".tsv", ".xlsx")
_FILE_NAME: Final = re.compile(rf".+({'|'.join(map(re.escape, sorted({*SUFFIXES, *_TABLES})))})", re.IGNORECASE)
NO_ID: Final = "post"
"""Id of a single post that was given none."""
KNOWN: Final = "A post is a text, a Post, or a mapping with text, image, image_path or image_text"
MANY: Final = "Many posts are a list or an iterator of them, a pandas or polars Series or DataFrame, or an Arrow table"
INSTEAD: Final = (
    "An image goes into score(image=...), a file of posts into crossguard.score_file(PATH, OUT), a row of a DataFrame "
    "into score(dict(row)). If this is a table that is not computed yet, call its collect() first."
)


def is_one(posts: object) -> bool:
    """Whether this is one post, and not many."""
    return isinstance(posts, str | Post | Mapping)


def refuse_an_id_alone(post: object) -> None:
    """Refuses a `Post` that has nothing but an id, as its text was taken for one.

    Raises:
        PostError: `post_empty`.
    """
    if not isinstance(post, Post) or post.id == NO_ID or post.error is not None or post.images or post.extra:
        return
    if post.text == post.image_text == "":
        raise PostError(
            "post_empty",
            f"Post({post.id!r}) has an id and nothing to score. Behind the id comes the text: Post('1', {post.id!r})",
        )


def as_post(post: object, place: str) -> Post:
    """Returns one post; what cannot be read as one is a failed post.

    Args:
        post: A text, a `Post`, or a mapping. Keys that a post does not have are carried in `extra`.
        place: Its id where it has none.
    """
    if isinstance(post, Post):
        return _read(post)
    if isinstance(post, str):
        _warn_of_a_file(post)
        return Post(place, str(post))
    if not isinstance(post, Mapping):
        shown = f"{type(post).__name__} ({str(post)[:20]})" if isinstance(post, int | float) else type(post).__name__
        return Post.failed(place, "post_bad_type", f"{KNOWN}; this is {shown}.")
    built = _with_more_images(_MAPPINGS.build({str(key): cell for key, cell in post.items()}, place))
    content = built.text or built.image_text or built.images
    if built.error is None and built.extra and not content and not set(post) & set(Columns().content):
        return Post.failed(built.id, "post_unknown_fields", f"{KNOWN}; this one has {', '.join(built.extra)}.")
    if built.extra:
        _warn_of_unread([*built.extra], {"image": "image"} if built.image is not None else {})
    return built


def _warn_of_a_file(text: str) -> None:
    """Warns where a text is nothing but the name of an image or a table: was it the file that was meant?"""
    if len(text) > _LONGEST_NAME or "." not in text[-8:] or not _FILE_NAME.fullmatch(text):
        return
    if " " not in text or os.path.isfile(text):  # noqa: PTH113 - pathlib raises where a text is too long for a name
        warnings.warn(
            f"'{text}' was scored as a text. An image: score(image={text!r}), from a file. A table: "
            f"crossguard.score_file({text!r}, OUT). A text, without this warning: score(text=...).",
            stacklevel=4,
        )


def _warn_of_unread(names: Iterable[str], found: Mapping[str, str]) -> None:
    """Warns where posts have words that are not scored, or images in a form that is not read."""
    for name, kind in unread(names, found):
        warnings.warn(f"'{name}' {_UNREAD[kind]}.", stacklevel=3)


def _with_more_images(post: Post) -> Post:
    """Returns a post with the images that its mapping or row lists under `more_images`."""
    if post.error is not None or _MORE not in post.extra:
        return post
    more = post.extra[_MORE]
    extra = {name: cell for name, cell in post.extra.items() if name != _MORE}
    if isinstance(more, list | tuple) or getattr(more, "ndim", None) == 1:
        return _read(replace(post, extra=extra, more_images=tuple(more)))
    if is_missing(more):
        return replace(post, extra=extra)
    return Post.failed(post.id, "field_bad_type", f"'{_MORE}' must be a list of images, not {type(more).__name__}.")


def _read(post: Post) -> Post:
    """Returns the post with texts that are texts, and images that can be read again, whatever Python put there."""
    name = str(post.id)
    try:
        text, image_text = as_text(post.text, "text"), as_text(post.image_text, "image_text")
        image, *more = map(as_image, (post.image, *post.more_images))
    except PostError as error:
        return Post(name, extra=post.extra, error=PostFailure.of(error))
    others = tuple(other for other in more if other is not None)
    return replace(post, id=name, text=text, image=image, image_text=image_text, more_images=others)


def as_posts(posts: object) -> Iterator[Post]:
    """Returns many posts; one that cannot be read is a failed post in its place.

    Raises:
        InputError: These are not many posts: one post, an image, a file, or nothing of the kind.
        TableError: A table has no column that can be scored.
    """
    if is_one(posts):
        raise InputError(f"{MANY}; this is one post. Put it into a list, or call score().")
    rows = _rows_of_table(posts)
    if rows is not None:
        return rows
    is_column = hasattr(posts, "iloc") or hasattr(posts, "null_count")  # of pandas; of Arrow or polars
    if hasattr(posts, "to_pylist"):  # a column of Arrow
        posts = posts.to_pylist()
    index = getattr(posts, "index", None) if hasattr(posts, "iloc") else None  # of a pandas Series
    if (
        not isinstance(posts, Iterable)
        or isinstance(posts, bytes | bytearray | memoryview | set | frozenset)
        or getattr(posts, "ndim", 1) != 1
        or (index is not None and "text" in index)
    ):
        raise InputError(f"{KNOWN}. {MANY}. This is {type(posts).__name__}. {INSTEAD}")
    named = enumerate(posts) if index is None else zip(index, posts, strict=True)
    read = (as_post({"text": post} if is_column and _is_cell(post) else post, str(name)) for name, post in named)
    return read if index is None else _indexed(read, index)


def _indexed(posts: Iterator[Post], index: Any) -> Iterator[Post]:
    names = list(index.names)
    return (replace(post, _index=(label, names)) for post, label in zip(posts, index, strict=True))


def _is_cell(value: object) -> bool:
    """Whether a value of a column is none that a post can be, but that a cell of a table often is."""
    return isinstance(value, int | float) or is_missing(value)


def noted(posts: Iterable[Post], seen: MutableSequence[Post]) -> Iterator[Post]:
    """Yields posts, and puts each at the end of `seen` before."""
    for post in posts:
        seen.append(post)
        yield post


def _rows_of_table(table: Any) -> Iterator[Post] | None:
    """Returns the posts of a table; None for what is none."""
    if hasattr(table, "itertuples"):  # pandas
        header = [str(name) for name in table.columns]
        rows = (dict(zip(header, cells, strict=True)) for cells in table.itertuples(index=False, name=None))
        return _indexed(_built(header, zip(table.index, rows, strict=True)), table.index)
    if hasattr(table, "iter_rows"):  # polars
        return _built(table.columns, enumerate(table.iter_rows(named=True)))
    if hasattr(table, "__arrow_c_stream__") and (hasattr(table, "columns") or hasattr(table, "schema")):  # Arrow
        from pyarrow import RecordBatchReader

        reader = RecordBatchReader.from_stream(table)
        return _built(reader.schema.names, enumerate(_rows_of_arrow(reader)))
    return None


def _rows_of_arrow(reader: Any) -> Iterator[dict[str, Any] | None]:
    id_ = OwnColumns().match(reader.schema.names, "The table").get("id")
    for batch in reader:
        yield from rows_of(batch, id_)


def _built(header: Iterable[str], rows: Iterable[tuple[object, dict[str, Any] | None]]) -> Iterator[Post]:
    """Returns the posts of rows, each beside its name."""
    builder = PostBuilder(OwnColumns(), Path(), extra=True)
    try:
        builder.open(header, "The table")
    except TableError as error:
        raise TableError(f"{error} Or score one column: score(table['...'])") from None
    _warn_of_unread([name for name in builder.header if name != _MORE], builder.found)
    return (
        Post.failed(str(name), "invalid_utf8", "A text of this row is not valid UTF-8.")
        if row is None
        else _with_more_images(builder.build(row, str(name)))
        for name, row in rows
    )
