"""Scores made elsewhere: a table with a column per label, or the JSONL that `crossguard score` writes."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from crossguard.errors import TableError
from crossguard.evaluation.annotated import read_rows
from crossguard.labels import HATE

_SHOWN = 3


def score_labels(path: Path, known: Sequence[str] = HATE.names) -> tuple[str, ...]:
    """Returns the labels that a table of scores has, in the order of `known`.

    Raises:
        TableError: It has none of them.
    """
    first = _flat(next(iter(read_rows(path)), {}))
    found = tuple(name for name in known if name in first)
    if not found:
        raise TableError(f"'{path}' has no column of a label ({', '.join(known)}). It has: {', '.join(first)}.")
    return found


def read_scores(paths: Sequence[Path], labels: Sequence[str], ids: Sequence[str]) -> NDArray[np.float64]:
    """Reads probabilities and brings them into the order of the posts.

    Args:
        paths: JSONL, CSV or Parquet with `id` and a column per label, or files of decisions; such as one per fold.
        labels: Which columns.
        ids: The order.

    Returns:
        float64, (n, labels), in [0, 1].

    Raises:
        TableError: A post has no score or two, or a score is no number in [0, 1].
    """
    rows: dict[str, Mapping[str, Any]] = {}
    for path in paths:
        for row in read_rows(path):
            id_ = str(row.get("id"))
            if id_ in rows:
                raise TableError(f"'{path}' scores post '{id_}' again; each post needs one score.")
            rows[id_] = _flat(row)
    absent = [name for name in ids if name not in rows]
    if absent:
        shown = ", ".join(absent[:_SHOWN])
        raise TableError(f"'{paths[0]}' has no scores for {len(absent)} of {len(ids)} posts, such as {shown}.")
    return np.array([[_score(rows[id_].get(name), id_, name) for name in labels] for id_ in ids]).reshape(
        -1, len(labels)
    )


def _flat(row: Mapping[str, Any]) -> Mapping[str, Any]:
    labels = row.get("labels")
    if isinstance(labels, Mapping):
        return {name: entry["score"] if isinstance(entry, Mapping) else entry for name, entry in labels.items()}
    return row


def _score(value: Any, id_: str, name: str) -> float:
    try:
        score = float(value)
    except (TypeError, ValueError):
        score = math.nan
    if not 0 <= score <= 1:
        raise TableError(f"Post '{id_}': the score of '{name}' must lie in [0, 1], and is {value!r}.")
    return score
