"""Scores made elsewhere: a table with a column per label, the JSONL of `crossguard score`, or a run of training."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from crossguard.data.datasets.rows import FIXED
from crossguard.data.storage import is_remote
from crossguard.data.tables import read_rows
from crossguard.data.writing import PARTS_MANIFEST, read_decisions
from crossguard.decision.calibration import sigmoid
from crossguard.errors import TableError, suggest
from crossguard.registry import CARD_CONFIG

_SHOWN = 3
# What `crossguard train` leaves in the folder of a run, beside its configuration.
PREDICTIONS = "predictions.npz"


def score_labels(path: Path | str, columns: Collection[str]) -> tuple[str, ...]:
    """Returns the labels that scores are there for, in the order of the scores; `path` is as for `read_scores`.

    A column of both scores and posts with a number in [0, 1] is a label.

    Raises:
        TableError: There is none.
    """
    _, first = next(_entries(path, None), ("", {}))
    found = tuple(name for name, value in first.items() if name in columns and name not in FIXED and _is_score(value))
    if not found:
        raise TableError(
            f"'{path}' has no scores for a label of the posts. "
            f"It has: {', '.join(first)}. They have: {', '.join(columns)}."
        )
    return found


def read_scores(
    paths: Sequence[Path | str], labels: Sequence[str], ids: Sequence[str], label_scheme: str | None = None
) -> NDArray[np.float64]:
    """Reads probabilities and brings them into the order of the posts.

    Args:
        paths: Such as one per fold: JSONL, CSV or Parquet with `id` and a column per label, files of decisions, the
            folder of a job over many files, also in a storage, or folders of training runs, whose held-out
            predictions are read.
        labels: Which columns.
        ids: The order.
        label_scheme: Which label scheme of a training run; its first one when None.

    Returns:
        float64, (n, labels), in [0, 1].

    Raises:
        TableError: A post has no score or two, or a score is no number in [0, 1].
    """
    places = {id_: place for place, id_ in enumerate(ids)}
    found = np.full((len(ids), len(labels)), np.nan)
    seen = np.zeros(len(ids), dtype=bool)
    for path in paths:
        for id_, scores in _entries(path, label_scheme):
            place = places.get(id_)
            if place is None:
                continue
            if seen[place]:
                raise TableError(f"'{path}' scores post '{id_}' again; each post needs one score.")
            found[place] = [_score(scores.get(name), id_, name) for name in labels]
            seen[place] = True
    order = [places[id_] for id_ in ids]  # a name may stand for two posts
    absent = [id_ for id_, place in zip(ids, order, strict=True) if not seen[place]]
    if absent:
        shown = ", ".join(absent[:_SHOWN])
        raise TableError(f"'{paths[0]}' has no scores for {len(absent)} of {len(ids)} posts, such as {shown}.")
    return found[order]


def _entries(path: Path | str, label_scheme: str | None) -> Iterator[tuple[str, Mapping[str, Any]]]:
    address, path = str(path), Path(path)
    if is_remote(address) or (path / PARTS_MANIFEST).is_file():  # what a job over many files wrote
        yield from ((decision.id, decision.scores) for decision in read_decisions(address))
        return
    if path.is_dir():
        yield from _training_run(path, label_scheme)
        return
    for row in read_rows(path):
        labels = row.get("labels")
        if isinstance(labels, Mapping):
            scores = {name: entry["score"] if isinstance(entry, Mapping) else entry for name, entry in labels.items()}
            yield str(row.get("id")), scores
        else:
            yield str(row.get("id")), row


def _training_run(folder: Path, label_scheme: str | None) -> Iterator[tuple[str, Mapping[str, float]]]:
    try:
        config = json.loads((folder / CARD_CONFIG).read_text(encoding="utf-8"))
        with np.load(folder / PREDICTIONS, allow_pickle=False) as stored:
            ids, logits = stored["ids"].tolist(), stored["logits"].astype(np.float64)
    except (OSError, ValueError, KeyError) as error:
        raise TableError(f"'{folder}' is no finished training run: {error}.") from None
    label_schemes: Mapping[str, Sequence[int]] = config.get("label_schemes", {})
    if not label_schemes:
        raise TableError(
            f"'{folder}' names no label schemes in {CARD_CONFIG}; an earlier version wrote it. Rename its key "
            "`readouts` to `label_schemes`, or train again."
        )
    name = label_scheme or next(iter(label_schemes))
    if name not in label_schemes:
        raise TableError(f"'{folder}' has no label scheme '{name}'.{suggest(name, label_schemes)}")
    scores = sigmoid(logits[:, list(label_schemes[name])])
    for id_, row in zip(ids, scores.tolist(), strict=True):
        yield str(id_), dict(zip(config["class_names"], row, strict=True))


def _score(value: Any, id_: str, name: str) -> float:
    if not _is_score(value):
        raise TableError(f"Post '{id_}': the score of '{name}' must lie in [0, 1], and is {value!r}.")
    return float(value)


def _is_score(value: Any) -> bool:
    try:
        return 0 <= float(value) <= 1
    except (TypeError, ValueError):
        return False
