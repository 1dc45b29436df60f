"""Reads a prepared table of annotated posts: post columns, one column per label, and whatever else a row carries.

Evaluation data must be whole: a row that cannot be read is an error here, where scoring would skip it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from crossguard.data.columns import AnyBuilder, Columns, PostBuilder, share_of
from crossguard.data.tables import PostReader
from crossguard.errors import TableError, suggest
from crossguard.records import Post

HATEFUL = "hateful"
SPLIT = "split"


@dataclass(frozen=True, slots=True, eq=False)
class Annotated:
    """Posts and what is known about them; n rows.

    Attributes:
        truth: float64, (n, L), 1 yes, 0 no, NaN not annotated.
        hateful: float64, (n,), whether the post as a whole is hateful: 1, 0 or NaN.
        columns: Every other column by name, n values each, such as groups.
    """

    source: str
    posts: tuple[Post, ...]
    labels: tuple[str, ...]
    truth: NDArray[np.float64]
    hateful: NDArray[np.float64]
    columns: Mapping[str, tuple[Any, ...]]

    def __len__(self) -> int:
        return len(self.posts)

    @property
    def ids(self) -> tuple[str, ...]:
        """Names of the posts."""
        return tuple(post.id for post in self.posts)

    def take(self, rows: NDArray[np.int64] | NDArray[np.bool_]) -> Annotated:
        """Returns some of the posts, by index or mask."""
        picks = np.arange(len(self))[rows]
        columns = {name: tuple(values[i] for i in picks) for name, values in self.columns.items()}
        posts = tuple(self.posts[i] for i in picks)
        return Annotated(self.source, posts, self.labels, self.truth[rows], self.hateful[rows], columns)


def join(parts: Sequence[Annotated]) -> Annotated:
    """Returns the posts of all parts, one after the other, with the columns that every part has."""
    shared = [name for name in parts[0].columns if all(name in part.columns for part in parts)]
    return Annotated(
        ", ".join(part.source for part in parts),
        tuple(post for part in parts for post in part.posts),
        parts[0].labels,
        np.concatenate([part.truth for part in parts]),
        np.concatenate([part.hateful for part in parts]),
        {name: tuple(value for part in parts for value in part.columns[name]) for name in shared},
    )


def read_annotated(
    path: Path,
    labels: Sequence[str],
    *,
    split: str | None = None,
    positive_from: float = 0.5,
    hateful_column: str = HATEFUL,
    columns: Columns | None = None,
    image_root: Path | None = None,
    images: bool = True,
) -> Annotated:
    """Reads a table of annotated posts, in any format that can be scored.

    Args:
        path: The table.
        labels: Names of the model's labels; columns of these names hold values in [0, 1], or nothing where unknown.
        split: Keep only rows whose column `split` has this value.
        positive_from: The value from which a label counts as given; 0.5 is the majority of votes.
        hateful_column: Column that says whether the post as a whole is hateful; may be absent.
        image_root: Folder of relative image paths; the folder of the table when None.
        columns: Names of the post columns.
        images: Whether posts keep their images; without, a table can be measured whose images are elsewhere.

    Raises:
        TableError: The table cannot be read, has no label column, a value lies outside [0, 1], or no row is left.
    """
    builder = AnyBuilder(columns or Columns(), image_root or path.parent, extra=True)
    posts = _whole(path, builder, images=images)
    if posts and not set(builder.header) & {*labels, hateful_column}:
        raise TableError(
            f"'{path}' has no column of a label ({', '.join(labels)}) nor '{hateful_column}'. It has: {builder.header}."
        )
    posts = _of_split(posts, split, path)
    if not posts:
        raise TableError(f"'{path}' has no rows, so there is nothing to measure.")
    rows = list(enumerate((post.extra for post in posts), start=1))
    truth = [[_answer(row.get(name), name, number, positive_from) for name in labels] for number, row in rows]
    whole = [_answer(row.get(hateful_column), hateful_column, number, positive_from) for number, row in rows]
    used = {*builder.found.values(), *labels, hateful_column}
    extra = {name: tuple(row.get(name) for _, row in rows) for name in builder.header if name not in used}
    kept = tuple(replace(post, extra={}) for post in posts)
    return Annotated(str(path), kept, tuple(labels), np.array(truth), np.array(whole), extra)


def _whole(path: Path, builder: PostBuilder, *, images: bool = True) -> list[Post]:
    """Returns the posts of a table, in which every row must be readable; without images, these never are in memory."""
    posts = [post if images else replace(post, image=None) for post in PostReader(path, builder=builder)]
    broken = next((post.error for post in posts if post.error is not None), None)
    if broken is not None:
        raise TableError(f"'{path}': {broken.message}")
    return posts


def _answer(value: Any, name: str, number: int, positive_from: float) -> float:
    answer = share_of(value, name, f"Row {number}")
    return answer if math.isnan(answer) else float(answer >= positive_from)


def read_posts(path: Path, split: str | None = None, image_root: Path | None = None) -> tuple[Post, ...]:
    """Reads the posts of a table without their labels, such as training data or an unlabelled feed.

    Raises:
        TableError: The table cannot be read, or no row is of that split.
    """
    posts = _whole(path, AnyBuilder(Columns(), image_root or path.parent, extra=True))
    return tuple(replace(post, extra={}) for post in _of_split(posts, split, path))


def _of_split(posts: list[Post], split: str | None, path: Path) -> list[Post]:
    if split is None:
        return posts
    found = sorted({str(post.extra.get(SPLIT)) for post in posts})
    if split not in found:
        raise TableError(f"'{path}' has no row of split '{split}'.{suggest(split, found)}")
    return [post for post in posts if str(post.extra.get(SPLIT)) == split]
