"""Reads a prepared table of annotated posts: post columns, one column per label, and whatever else a row carries.

Evaluation data must be whole: a row that cannot be read is an error here, where scoring would skip it.
"""

from __future__ import annotations

import sys
from array import array
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from crossguard.data.cells import Shares, names_in
from crossguard.data.columns import Columns, OwnColumns, plain_name
from crossguard.data.post_builder import AnyBuilder, PostBuilder
from crossguard.data.stored_posts import open_posts
from crossguard.data.tables import readable
from crossguard.errors import TableError, suggest
from crossguard.evaluation.leakage import group_number
from crossguard.evaluation.sample import ANY, Sample, Thresholds
from crossguard.records import Post

HATEFUL = "hateful"
SPLIT = "split"
WEIGHT = "weight"
# Of rows, a group's name and the like; longer texts do not repeat.
_SHORT = 100
_NOTHING: Mapping[str, Any] = {}


@dataclass(frozen=True, slots=True, eq=False)
class Annotated:
    """Posts and what is known about them; n rows."""

    source: str
    posts: tuple[Post, ...]
    labels: tuple[str, ...]
    truth: NDArray[np.float64]  # (n, L), 1 yes, 0 no, NaN not annotated
    hateful: NDArray[np.float64]  # (n,), whether the post as a whole is hateful: 1, 0 or NaN
    columns: Mapping[str, tuple[Any, ...]]  # every other column by name, n values each, such as groups
    positive_from: float = 0.5  # the value from which a label counted as given
    unread: tuple[str, ...] = ()  # what people read with these posts and the model does not, a sentence each
    blank: NDArray[np.bool_] | None = None  # (n,), which posts say and show nothing; None where it is not known
    # int64, (n,), a number that posts with the same words share, or without words with the same image; None where it is
    # not known
    groups: NDArray[np.int64] | None = None

    def __len__(self) -> int:
        return len(self.posts)

    @property
    def ids(self) -> tuple[str, ...]:
        """Names of the posts."""
        return tuple(post.id for post in self.posts)

    @property
    def notes(self) -> list[str]:
        """What a reader of metrics of a model should know, a sentence each."""
        if len(set(map(str, self.columns.get(WEIGHT, ())))) <= 1:  # `crossguard review export` writes them
            return [*self.unread]
        told = "kinds of posts that were sampled less count less here than in the feed"
        return [*self.unread, f"column '{WEIGHT}' is not used: {told}"]

    @property
    def needless(self) -> NDArray[np.bool_]:
        """Which posts need no score, (n,): those without an answer, and blank ones. No training predicts either."""
        unanswered = np.isnan(self.truth).all(axis=1) & np.isnan(self.hateful)
        return unanswered if self.blank is None else unanswered | self.blank

    def sample(self, scores: NDArray[np.float64], thresholds: Thresholds = 0.5) -> Sample:
        """Returns the posts beside scores, (n, L), that are flagged from these thresholds on."""
        return Sample.build(
            self.labels, self.truth, scores, thresholds, ids=self.ids, hateful=self.hateful, groups=self.groups
        )

    def take(self, rows: NDArray[np.int64] | NDArray[np.bool_]) -> Annotated:
        """Returns some of the posts, by index or mask."""
        picks = np.arange(len(self))[rows]
        columns = {name: tuple(values[i] for i in picks) for name, values in self.columns.items()}
        posts = tuple(self.posts[i] for i in picks)
        blank = None if self.blank is None else self.blank[rows]
        groups = None if self.groups is None else self.groups[rows]
        truth, hateful = self.truth[rows], self.hateful[rows]
        return replace(self, posts=posts, truth=truth, hateful=hateful, columns=columns, blank=blank, groups=groups)


def join(parts: Sequence[Annotated]) -> Annotated:
    """Returns the posts of all parts, one after the other, with the columns that every part has."""
    groups = [part.groups for part in parts if part.groups is not None]
    shared = [name for name in parts[0].columns if all(name in part.columns for part in parts)]
    return Annotated(
        ", ".join(part.source for part in parts),
        tuple(post for part in parts for post in part.posts),
        parts[0].labels,
        np.concatenate([part.truth for part in parts]),
        np.concatenate([part.hateful for part in parts]),
        {name: tuple(value for part in parts for value in part.columns[name]) for name in shared},
        parts[0].positive_from,
        tuple(dict.fromkeys(note for part in parts for note in part.unread)),
        groups=np.concatenate(groups) if len(groups) == len(parts) else None,
    )


def read_annotated(
    path: Path | str,
    labels: Sequence[str],
    *,
    split: str | None = None,
    positive_from: float = 0.5,
    hateful_column: str = HATEFUL,
    columns: Columns | None = None,
    image_root: Path | None = None,
    images: bool = True,
    words: bool = True,
    scored: bool = True,
) -> Annotated:
    """Reads a table of annotated posts, in any format that can be scored.

    Args:
        path: The table, or a folder of tables; also the address of one in a storage.
        labels: Names of the model's labels; columns of these names hold values in [0, 1], or nothing where unknown.
        split: Keep only rows whose column `split` has this value.
        positive_from: The value from which a label counts as given; 0.5 is the majority of votes.
        hateful_column: Column that says whether the post as a whole is hateful; `hateful` may be absent.
        image_root: Folder of relative image paths; the folder of the table when None.
        columns: Names of the post columns.
        images: Whether posts keep their images; without, a table can be measured whose images are elsewhere.
        words: Whether posts keep their texts; without both, memory does not depend on how long or large these are.
        scored: Whether a model will score the posts, so that there must be a column to score.

    Raises:
        TableError: The table cannot be read, has no column to score, of a label, or of a name that was asked for, a
            value lies outside [0, 1], a label is called `any`, or no row is left.
    """
    if ANY in labels:
        raise TableError(
            f"A label cannot be called '{ANY}': in reports it is whether a post is hateful at all. Rename it."
        )
    builder = AnyBuilder(columns or OwnColumns(), image_root or Path(path).parent, extra=True)
    asked = (*labels, hateful_column)
    posts, answers, extra = list[Post](), array("d"), dict[str, list[Any]]()
    blank, groups = array("b"), array("q")
    shares = Shares(path)
    header: tuple[str, ...] = ()  # tables of a folder may differ in theirs
    others: list[str] = []
    for number, post in _rows(path, builder, split, image_root):
        row = post.extra
        if not posts:
            _check_header(path, builder.header, labels, hateful_column)
        if header != builder.header:
            header = builder.header
            taken = {*asked, *builder.found.values()}
            others = [name for name in dict.fromkeys(header) if name not in taken]
        posts.append(_kept(post, images=images, words=words))
        groups.append(group_number(post, f"{path}, row {number}"))
        blank.append(post.image is None and not f"{post.text}{post.image_text}".strip())
        where = f"Row {number} ('{post.id}')"
        known = {name: shares.read(row.get(name), name, where) for name in dict.fromkeys(asked)}
        answers.extend(known[name] for name in asked)
        for name in others:
            _fill(extra.setdefault(name, []), len(posts) - 1).append(_once(row.get(name)))
    shares.check()
    if scored and not builder.found.keys() - {"id"} and all(blank):
        builder.columns.find(extra, f"'{path}'")
    said = np.array(answers).reshape(len(posts), len(asked))
    # Objects of JSON may leave a column out, but not all of them.
    if hateful_column not in {HATEFUL, *builder.header} and np.isnan(said[:, -1]).all():
        raise TableError(f"'{path}' has no column '{hateful_column}'.{suggest(hateful_column, builder.header)}")
    # Tables may hold 0.7 in 32 bits, which is less than 0.7 in 64.
    truth = np.where(np.isnan(said), said, said.astype(np.float32) >= np.float32(positive_from))
    # Of a table with ids and answers alone nothing is known of what its posts hold.
    empty = np.array(blank, dtype=np.bool_) & bool(builder.found.keys() - {"id"})
    columns_ = {name: tuple(_fill(values, len(posts))) for name, values in extra.items()}
    answers_ = truth[:, :-1].copy(), truth[:, -1].copy()
    return Annotated(
        str(path),
        tuple(posts),
        tuple(labels),
        *answers_,
        columns_,
        positive_from,
        (*builder.unread, *builder.words),
        empty,
        np.array(groups, dtype=np.int64),
    )


def _check_header(path: Path | str, header: Sequence[str], labels: Sequence[str], hateful_column: str) -> None:
    """Refuses a table without answers, and a label in another case, which would go unmeasured beside the others."""
    asked = (*labels, hateful_column)
    for name in header:
        meant = plain_name(name)
        if meant in asked and meant not in header:
            raise TableError(
                f"'{path}' has a column '{name}'. If it holds the label '{meant}', call it '{meant}'; else rename it."
            )
    if not set(header) & set(asked):
        raise TableError(
            f"'{path}' has no column of a label ({', '.join(labels)}) nor '{hateful_column}'. It has: "
            f"{', '.join(header)}. Name columns after labels, with 1, 0 or nothing in them. "
            "For evaluate and audit one that says whether a post is hateful is enough: --hateful-column NAME"
        )


def _fill(values: list[Any], rows: int) -> list[Any]:
    """Adds nothing for each of the rows so far that lack a column, as tables of one folder may."""
    values.extend([None] * (rows - len(values)))
    return values


def _rows(
    path: Path | str, builder: PostBuilder, split: str | None, image_root: Path | None = None
) -> Iterator[tuple[int, Post]]:
    """Yields the posts of a split and their numbers; every row of the table must be readable."""
    splits, found = set[str](), False
    for number, post in enumerate(readable(open_posts(path, builder, image_root), path), start=1):
        own = ", ".join(names_in(post.extra.get(SPLIT)))
        splits.add(own)
        if split is None or own == split:
            found = True
            yield number, post
    if not found and splits == {""}:
        raise TableError(f"'{path}' has no column '{SPLIT}', by which --split chooses. Leave --split out for all rows.")
    if not found and splits:
        raise TableError(f"'{path}' has no row of split '{split}'.{suggest(split or '', sorted(splits))}")
    if not found:
        raise TableError(f"'{path}' has no rows, so there is nothing to measure.")


def _kept(post: Post, *, images: bool, words: bool) -> Post:
    if not words:
        return Post(post.id, image=post.image if images else None, extra=_NOTHING)
    return replace(post, extra=_NOTHING, image=post.image if images else None)


def _once(value: Any) -> Any:
    """Returns the one copy of a short text, as those of groups and splits repeat."""
    return sys.intern(value) if isinstance(value, str) and len(value) < _SHORT else value


def read_posts(path: Path, split: str | None = None) -> tuple[Post, ...]:
    """Reads the posts of a table without their labels, such as training data or an unlabelled feed."""
    builder = AnyBuilder(OwnColumns(), path.parent, extra=True)
    return tuple(replace(post, extra={}) for _, post in _rows(path, builder, split))
