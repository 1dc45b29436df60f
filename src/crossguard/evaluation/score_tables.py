"""Scores made elsewhere: a table with a column per label, decisions of `crossguard score`, or a run of training."""

from __future__ import annotations

import json
import zipfile
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from crossguard.data.cells import with_point
from crossguard.data.columns import Columns
from crossguard.data.datasets.rows import FIXED
from crossguard.data.digests import digest, is_other
from crossguard.data.image_sources import is_missing
from crossguard.data.post_builder import AnyBuilder
from crossguard.data.storage import PARTS_MANIFEST, is_remote
from crossguard.data.tables import PostReader, read_rows, readable
from crossguard.data.writing import holds_job, read_decisions
from crossguard.decision.calibration import sigmoid
from crossguard.errors import TableError, suggest
from crossguard.evaluation.annotated import HATEFUL
from crossguard.evaluation.leakage import is_another
from crossguard.records import Decision, Post
from crossguard.registry import CARD_CONFIG

Maker: TypeAlias = tuple[str, str, str, str]
"""Name and version of a model, and of a policy."""
HALF = 0.5
"""The threshold of scores that come without one."""
_ASSUMED = f"scores as given; no thresholds came with them, so {HALF} was assumed for every label"
_SHOWN = 3
_IDS_ALONE = Columns(text="", image_path="", image_text="", image="")
# What `crossguard train` leaves in the folder of a run, beside its configuration.
PREDICTIONS = "predictions.npz"


@dataclass(frozen=True, slots=True, eq=False)
class GivenScores:
    """Scores of n posts, and what is known of how they were flagged."""

    scores: NDArray[np.float64]  # (n, L), in [0, 1]; NaN for posts that could not be scored
    flags: NDArray[np.bool_]  # (n, L), as recorded in decisions; elsewhere from one half on
    # Of labels that have one threshold in all posts; a policy may have others for posts with an image.
    thresholds: Mapping[str, float]
    source: str  # one sentence: where the thresholds are from
    maker: Maker | None = None  # who decided, where it is one
    failed: Mapping[str, int] = field(default_factory=dict)  # how many posts could not be scored, by error code
    absent: int = 0  # posts without a score that need none
    # (n, L), what training runs were told: 1, 0 or NaN where nothing is known; None for other scores
    answers: NDArray[np.float64] | None = None

    @property
    def ready(self) -> NDArray[np.bool_]:
        """Which posts were scored, (n,)."""
        return np.asarray(~np.isnan(self.scores).any(axis=1))


@dataclass(frozen=True, slots=True)
class _Entry:
    id: str
    scores: Mapping[str, Any]
    decision: Decision | None = None
    content: str | None = None  # the hash of the post that a training run predicted; None where it is not known
    answers: Mapping[str, float] | None = None  # what that run was told of it: 1, 0 or NaN

    @property
    def of_one_post(self) -> bool:
        """Whether these are the scores of one post, so that another one with its id has scores of its own."""
        return self.decision is not None or self.content is not None

    def is_other(self, post: Post) -> bool:
        """Whether what was scored is known to be another post than this one of its id."""
        if self.decision is not None:
            return is_other(self.decision, post)
        return self.content is not None and is_another(self.content, post)

    @property
    def failure(self) -> str | None:
        error = self.decision and self.decision.error
        return error.code if error else None


def score_labels(path: Path | str, columns: Iterable[str]) -> tuple[str, ...]:
    """Returns the labels that scores are there for, in the order of the scores; `path` is as for `read_scores`.

    Decisions name their labels. They are measured as those of a model are: one that the posts lack is known to be
    missing, and counts for `any` where the column `hateful` says whether a post is hateful. Elsewhere, a column of both
    scores and posts is a label if the first of its scores lies in [0, 1]; `hateful` is one where there is no other.
    `columns` are those of the posts, of which each may have its own; they are read until all labels are found.

    Raises:
        TableError: There is none.
    """
    first = _first_values(path)
    if first and holds_decisions(path):
        return tuple(first)
    scored = [name for name, value in first.items() if name not in FIXED and _is_score(value)]
    known, left = dict[str, None](), set(scored)
    for name in columns:
        known[name] = None
        left.discard(name)
        if scored and not left:
            break
    found = tuple(name for name in scored if name in known)
    if not found and HATEFUL in known and _is_score(first.get(HATEFUL)):
        return (HATEFUL,)
    if not found:
        labels = known.keys() - FIXED | known.keys() & {HATEFUL}
        shared = [(name, value) for name, value in first.items() if name in labels]
        others = (f" The first of '{name}' is {value!r}." for name, value in shared)
        raise TableError(
            f"'{path}' has no scores for a label of the posts. "
            f"It has: {', '.join(first) or 'no post with scores'}. They have: {', '.join(known)}. "
            f"A score is a number from 0 to 1.{next(others, '')}"
        )
    return found


def read_scores(
    paths: Sequence[Path | str],
    labels: Sequence[str],
    ids: Sequence[str],
    label_scheme: str | None = None,
    posts: Sequence[Post] = (),
    *,
    needless: NDArray[np.bool_] | None = None,
) -> GivenScores:
    """Reads probabilities and brings them into the order of the posts.

    Args:
        paths: Such as one per fold: JSONL, CSV or Parquet with ids and a column per label, files of decisions, the
            folder of a job over many files, also in a storage, or folders of training runs, whose held-out
            predictions are read.
        labels: Which columns.
        ids: The order.
        label_scheme: Which label scheme of a training run; its first one when None.
        posts: The posts themselves where their words and images were read: decisions and runs know what was scored.
        needless: Which posts may lack a score, (n,); none when None.

    Raises:
        TableError: A post has no score or two, a score is no number in [0, 1], no post could be scored, or what was
            scored under the id of a post is another text.
    """
    found = _Found(labels, ids, posts)
    for path in paths:
        for entry in _entries(path, label_scheme):
            found.add(entry, path)
    return found.given(paths[0], np.zeros(len(ids), dtype=np.bool_) if needless is None else needless)


def holds_decisions(path: Path | str) -> bool:
    """Whether these are decisions of `crossguard score`, of a file or of a job."""
    return is_remote(str(path)) or holds_job(Path(path)) or _holds_rows(Path(path))


def knows_posts(path: Path | str) -> bool:
    """Whether these scores say of which posts they are: decisions, or what a training run predicted."""
    return Path(path).is_dir() or holds_decisions(path)


class _Found:
    """What was read of n posts so far, in arrays: what else a table says of them is not kept.

    An id may stand for several posts, as the lines of each file of a folder are counted from 1. Decisions and what runs
    predicted are then taken in order, each for the next post of which it does not know that it had another text; one
    that had another text than all of them is of a post that is not among these.
    """

    def __init__(self, labels: Sequence[str], ids: Sequence[str], posts: Sequence[Post]) -> None:
        self._labels, self._ids, self._posts = labels, ids, posts
        self._left: dict[str, list[int]] = defaultdict(list)  # rows without a score yet, by id
        for row, id_ in enumerate(ids):
            self._left[id_].append(row)
        self._taken: dict[str, list[int]] = defaultdict(list)  # by id, rows that took the scores of one post
        self._others: dict[str, Path | str] = {}  # ids under which another post was scored, and where
        self._scores = np.full((len(ids), len(labels)), np.nan)
        self._flags = np.zeros((len(ids), len(labels)), dtype=bool)
        self._answers: NDArray[np.float64] | None = None
        self._failed: dict[int, str] = {}
        self._thresholds: dict[str, set[float]] = {name: set() for name in labels}
        self._makers: set[Maker] = set()

    def add(self, entry: _Entry, path: Path | str) -> None:
        """Takes the scores of one post.

        Raises:
            TableError: Its posts have scores already, or a score is none.
        """
        if entry.id not in self._left:
            return
        rows = self._take(entry, path)
        if not rows:
            return
        if entry.failure:
            self._failed |= dict.fromkeys(rows, entry.failure)
            return
        scores = np.array([_score(entry.scores.get(name), entry.id, name) for name in self._labels])
        self._scores[rows], self._flags[rows] = scores, scores >= HALF
        if entry.answers is not None:
            if self._answers is None:
                self._answers = np.full_like(self._scores, np.nan)
            self._answers[rows] = [entry.answers[name] for name in self._labels]
        if entry.decision is None:
            return
        made, decided = entry.decision, [entry.decision.labels[name] for name in self._labels]
        self._flags[rows] = [label.flagged for label in decided]
        self._makers.add((made.model, made.model_version, made.policy, made.policy_version))
        for name, label in zip(self._labels, decided, strict=True):
            self._thresholds[name].add(label.threshold)

    def _take(self, entry: _Entry, path: Path | str) -> list[int]:
        """Returns the rows that an entry is about, which have a score from now on; none where it is of another post."""
        left = self._left[entry.id]
        if left and not entry.of_one_post:
            self._left[entry.id] = []
            return left
        taken = self._taken[entry.id]
        row = next((row for row in left if self._may_be(entry, row)), None)
        if row is not None:
            left.remove(row)
            taken.append(row)
            return [row]
        if not left and (not entry.of_one_post or any(self._may_be(entry, row) for row in taken)):
            raise TableError(
                f"'{path}' scores post '{entry.id}' again; each post needs one score, and an id of its own."
            )
        self._others.setdefault(entry.id, path)
        return []

    def _may_be(self, entry: _Entry, row: int) -> bool:
        return not self._posts or not entry.is_other(self._posts[row])

    def given(self, path: Path | str, needless: NDArray[np.bool_]) -> GivenScores:
        """Returns all of it; the only decision of an id stands for all posts that say the same.

        Raises:
            TableError: A post that is not needless has no score, or had another text, or no post has a score.
        """
        for id_, taken in self._taken.items():
            if len(taken) == 1 and self._left[id_]:
                self._repeat(taken[0], self._left[id_])
        absent = sorted(row for rows in self._left.values() for row in rows)
        wanting = absent if len(absent) == len(self._ids) else [row for row in absent if not needless[row]]
        edited = next((self._ids[row] for row in wanting if self._ids[row] in self._others), None)
        if edited is not None:
            told = f"'{edited}' had another text when it was scored"
            raise TableError(
                f"'{self._others[edited]}' has scores of other posts: {told}. Each post needs an id of its own."
            )
        if wanting:
            shown = ", ".join(self._ids[row] for row in wanting[:_SHOWN])
            raise TableError(f"'{path}' has no scores for {len(wanting)} of {len(self._ids)} posts, such as {shown}.")
        failed = Counter(self._failed.values())
        if failed and failed.total() + len(absent) == len(self._ids):
            raise TableError(f"None of the {failed.total()} posts could be scored: {', '.join(failed)}.")
        if not self._makers:
            limits = dict.fromkeys(self._labels, HALF)
            return GivenScores(self._scores, self._flags, limits, _ASSUMED, None, failed, len(absent), self._answers)
        same = {name: next(iter(values)) for name, values in self._thresholds.items() if len(values) == 1}
        makers = sorted(self._makers)
        source = _recorded(makers, several=len(same) < len(self._labels))
        maker = makers[0] if len(makers) == 1 else None
        return GivenScores(self._scores, self._flags, same, source, maker, failed, len(absent))

    def _repeat(self, row: int, left: list[int]) -> None:
        same, others = list[int](), list[int]()
        for other in left:
            alike = not self._posts or digest(self._posts[row]) == digest(self._posts[other])
            (same if alike else others).append(other)
        left[:] = others
        self._scores[same], self._flags[same] = self._scores[row], self._flags[row]
        if self._answers is not None:
            self._answers[same] = self._answers[row]
        if row in self._failed:
            self._failed |= dict.fromkeys(same, self._failed[row])


def _recorded(makers: Sequence[Maker], *, several: bool) -> str:
    """Says whose thresholds were recorded, and what is not shown of them."""
    told = " and ".join(f"{model} {of} under the policy {policy} {by}" for model, of, policy, by in makers)
    more = "; where posts have different ones, none is shown" if several else ""
    return f"recorded in the decisions of {told}; whether fitted on these posts is not known{more}"


def _entries(path: Path | str, label_scheme: str | None) -> Iterator[_Entry]:
    address, path = str(path), Path(path)
    if holds_decisions(address):
        yield from (_Entry(decision.id, decision.scores, decision) for decision in read_decisions(address))
    elif path.is_dir():
        yield from _training_run(path, label_scheme)
    else:
        yield from _table(path)


def _first_values(path: Path | str) -> dict[str, Any]:
    """Returns the first value of each column of scores; a table may have none for its first post."""
    first: dict[str, Any] = {}
    for entry in _entries(path, None):
        if not entry.failure:
            first |= {name: value for name, value in entry.scores.items() if _is_empty(first.get(name))}
        if first and not any(map(_is_empty, first.values())):
            break
    return first


def _table(path: Path) -> Iterator[_Entry]:
    builder = AnyBuilder(_IDS_ALONE, Path(), extra=True)
    for post in readable(PostReader(path, builder=builder), path):
        if "id" not in builder.found:
            raise TableError(
                f"'{path}' has no column 'id', by which scores are matched with posts. It has: "
                f"{', '.join(builder.header)}."
            )
        yield _Entry(post.id, post.extra)


def _holds_rows(path: Path) -> bool:
    return not path.is_dir() and "schema_version" in next(iter(read_rows(path)), {})


def _training_run(folder: Path, label_scheme: str | None) -> Iterator[_Entry]:
    if not (folder / CARD_CONFIG).exists():
        raise TableError(
            f"'{folder}' is neither the folder of a job, with {PARTS_MANIFEST}, nor that of a finished training run, "
            f"with {CARD_CONFIG} and {PREDICTIONS}."
        )
    try:
        config = json.loads((folder / CARD_CONFIG).read_text(encoding="utf-8"))
        with (folder / PREDICTIONS).open("rb") as file, np.load(file, allow_pickle=False) as stored:
            ids, logits = unpack_texts(stored["ids"]), stored["logits"].astype(np.float64)
            # A file that others wrote may not say of which posts it is.
            known = unpack_texts(stored["contents"]) if "contents" in stored else [None] * len(ids)
            targets = stored["targets"] if "targets" in stored else np.full_like(logits, np.nan)
        label_schemes: Mapping[str, Sequence[int]] = config["label_schemes"]
    except (OSError, ValueError, KeyError, TypeError, EOFError, RecursionError, zipfile.BadZipFile) as error:
        raise TableError(f"'{folder}' is no finished training run: {error}.") from None
    name = label_scheme or next(iter(label_schemes), "")
    if name not in label_schemes:
        raise TableError(f"'{folder}' has no label scheme '{name}'.{suggest(name, label_schemes)}")
    columns, names = list(label_schemes[name]), config["class_names"]
    scores, shares = sigmoid(logits[:, columns]), targets[:, columns]
    told = np.where(np.isnan(shares), np.nan, shares >= HALF)
    for id_, content, row, answers in zip(ids, known, scores.tolist(), told.tolist(), strict=True):
        yield _Entry(
            id_,
            dict(zip(names, row, strict=True)),
            content=content,
            answers=dict(zip(names, answers, strict=True)),
        )


def pack_texts(texts: Sequence[str]) -> NDArray[np.uint8]:
    """Returns texts as the bytes of their JSON; an array of texts takes for each what the longest needs."""
    return np.frombuffer(json.dumps(texts).encode(), dtype=np.uint8)


def unpack_texts(packed: NDArray[Any]) -> list[str]:
    """Returns the texts of `pack_texts`, or of an array of texts, which earlier versions stored."""
    return list(map(str, json.loads(packed.tobytes()) if packed.dtype == np.uint8 else packed))


def _score(value: Any, id_: str, name: str) -> float:
    if not _is_score(value):
        raise TableError(f"Post '{id_}': the score of '{name}' must lie in [0, 1], and is {value!r}.")
    return float(with_point(value))


def _is_score(value: Any) -> bool:
    try:
        return 0 <= float(with_point(value)) <= 1
    except (TypeError, ValueError):
        return False


def _is_empty(value: Any) -> bool:
    return value == "" if isinstance(value, str) else is_missing(value)
