"""Template sentences per identity term (Dixon et al. 2018): they differ in the term only, so bias cannot hide."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from crossguard.data.tables import read_rows
from crossguard.errors import TableError
from crossguard.evaluation.annotated import Annotated
from crossguard.evaluation.audit.identities import mentions
from crossguard.evaluation.scoring import Scored, score
from crossguard.moderator import Moderator
from crossguard.records import Post

ANSWERS = {"toxic": 1.0, "nontoxic": 0.0}


def read_madlibs(path: Path, labels: tuple[str, ...], limit: int = 0, seed: int = 0) -> Annotated:
    """Reads a CSV with the columns `phrase` and `toxicity` (`toxic` or `nontoxic`).

    Args:
        path: The CSV.
        labels: The model's labels; none of them is known for a phrase, only whether it is hateful at all.
        limit: Keep at most so many phrases, drawn at random; all when 0.
        seed: Of the draw.

    Raises:
        TableError: It cannot be read, or a column is missing.
    """
    rows = list(read_rows(path))
    if not rows or not {"phrase", "toxicity"} <= set(rows[0]):
        raise TableError(f"'{path}' needs the columns 'phrase' and 'toxicity'.")
    if limit and len(rows) > limit:
        picks = np.sort(np.random.default_rng(seed).permutation(len(rows))[:limit])
        rows = [rows[index] for index in picks]
    try:
        hateful = np.array([ANSWERS[row["toxicity"]] for row in rows])
    except KeyError as error:
        raise TableError(f"'{path}': 'toxicity' must be 'toxic' or 'nontoxic', and is {error}.") from None
    posts = tuple(Post(f"phrase-{number}", row["phrase"]) for number, row in enumerate(rows, start=1))
    return Annotated(str(path), posts, labels, np.full((len(rows), len(labels)), np.nan), hateful, {})


def score_madlibs(moderator: Moderator, phrases: Annotated) -> tuple[Scored, dict[str, NDArray[np.bool_]]]:
    """Scores the phrases, and returns which phrase holds which term: here terms, not groups, are compared."""
    scored = score(moderator, phrases)
    found = [{post.text[m.start : m.end].lower() for m in mentions(post.text)} for post in scored.annotated.posts]
    terms = sorted(set().union(*found))
    return scored, {term: np.array([term in named for named in found]) for term in terms}
