"""Sentences with the answer given: functional suites such as HateCheck, and template phrases per identity term."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from crossguard.data.tables import read_rows
from crossguard.errors import InputError, TableError, suggest
from crossguard.evaluation.annotated import Annotated
from crossguard.evaluation.audit.identities import mentions
from crossguard.evaluation.estimates import plain
from crossguard.evaluation.results import Evaluation, evaluate
from crossguard.evaluation.sample import ANY, Sample
from crossguard.evaluation.scoring import Scored, score
from crossguard.moderator import Moderator
from crossguard.records import Post

# Röttger et al. 2021; CC-BY-4.0.
HATECHECK = ("Paul/hatecheck", "test.csv")
TEXT, GOLD, FUNCTION, TARGET = "test_case", "label_gold", "functionality", "target_ident"
_YES = {"hateful": 1.0, "toxic": 1.0, "1": 1.0, "1.0": 1.0, "true": 1.0}
_NO = {"non-hateful": 0.0, "nontoxic": 0.0, "0": 0.0, "0.0": 0.0, "false": 0.0}
NO_TARGET = "(none)"


@dataclass(frozen=True, slots=True)
class Cell:
    """Accuracy of some cases."""

    right: int
    cases: int

    @property
    def accuracy(self) -> float:
        """Share decided right, in [0, 1]."""
        return self.right / self.cases


@dataclass(frozen=True, slots=True)
class SuiteResult:
    """What a model does on a suite."""

    name: str
    cells: dict[tuple[str, str], Cell]
    functions: dict[str, Cell]
    hateful: dict[str, bool]
    targets: dict[str, Cell]
    evaluation: Evaluation

    def to_dict(self) -> dict[str, Any]:
        """Returns plain data for JSON."""
        return {
            "name": self.name,
            "any": plain(self.evaluation.per_label[ANY]),
            "functions": {
                name: {
                    "hateful": self.hateful[name],
                    "accuracy": cell.accuracy,
                    "right": cell.right,
                    "cases": cell.cases,
                }
                for name, cell in self.functions.items()
            },
            "targets": {name: {"accuracy": c.accuracy, "cases": c.cases} for name, c in self.targets.items()},
            "cells": [
                {"functionality": function, "target": target, "accuracy": cell.accuracy, "cases": cell.cases}
                for (function, target), cell in self.cells.items()
            ],
        }


def read_suite(path: Path, labels: tuple[str, ...]) -> Annotated:
    """Reads a CSV with the columns `test_case`, `label_gold`, `functionality` and `target_ident`; keeps the last two.

    Raises:
        TableError: A column is missing, or an answer is neither yes nor no.
    """
    rows = list(read_rows(path))
    header = list(rows[0]) if rows else []
    for name in (TEXT, GOLD, FUNCTION, TARGET):
        if name not in header:
            raise TableError(f"'{path}' has no column '{name}'.{suggest(name, header)}")
    answers = [_answer(row, number, path) for number, row in enumerate(rows, start=1)]
    columns = {
        FUNCTION: tuple(row[FUNCTION] for row in rows),
        TARGET: tuple(row[TARGET] or NO_TARGET for row in rows),
    }
    return _annotated(path.name, "case", [row[TEXT] for row in rows], labels, np.array(answers), columns)


def fetch_hatecheck() -> Path:
    """Downloads HateCheck from the Hugging Face Hub.

    Raises:
        InputError: There is no network, or the Hub does not answer.
    """
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    try:
        return Path(hf_hub_download(*HATECHECK, repo_type="dataset"))
    except (OSError, HfHubHTTPError, LocalEntryNotFoundError) as error:
        raise InputError(
            f"HateCheck cannot be fetched from the Hub ({type(error).__name__}). Give the path of its CSV with --suite."
        ) from None


def read_phrases(path: Path, labels: tuple[str, ...], limit: int = 0, seed: int = 0) -> Annotated:
    """Reads template sentences that differ in an identity term only (Dixon et al. 2018), so that bias cannot hide.

    The CSV has the columns `phrase` and `toxicity` (`toxic` or `nontoxic`); of more than `limit` phrases so many are
    drawn at random, unless it is 0.

    Raises:
        TableError: It cannot be read, a column is missing, or an answer is neither.
    """
    rows = list(read_rows(path))
    if not rows or not {"phrase", "toxicity"} <= set(rows[0]):
        raise TableError(f"'{path}' needs the columns 'phrase' and 'toxicity'.")
    if limit and len(rows) > limit:
        picks = np.sort(np.random.default_rng(seed).permutation(len(rows))[:limit])
        rows = [rows[index] for index in picks]
    wrong = next((row["toxicity"] for row in rows if row["toxicity"] not in {"toxic", "nontoxic"}), None)
    if wrong is not None:
        raise TableError(f"'{path}': 'toxicity' must be 'toxic' or 'nontoxic', and is '{wrong}'.")
    hateful = np.array([float(row["toxicity"] == "toxic") for row in rows])
    return _annotated(str(path), "phrase", [row["phrase"] for row in rows], labels, hateful)


def score_phrases(moderator: Moderator, phrases: Annotated) -> tuple[Scored, dict[str, NDArray[np.bool_]]]:
    """Scores the phrases, and returns which phrase holds which term: here terms, not groups, are compared."""
    scored = score(moderator, phrases)
    found = [{post.text[m.start : m.end].lower() for m in mentions(post.text)} for post in scored.annotated.posts]
    terms = sorted(set().union(*found))
    return scored, {term: np.array([term in named for named in found]) for term in terms}


def _annotated(  # noqa: PLR0917
    source: str,
    kind: str,
    texts: Sequence[str],
    labels: tuple[str, ...],
    hateful: NDArray[np.float64],
    columns: Mapping[str, tuple[str, ...]] = MappingProxyType({}),
) -> Annotated:
    """Returns texts as posts of which is only known whether they are hateful at all."""
    posts = tuple(Post(f"{kind}-{number}", text) for number, text in enumerate(texts, start=1))
    return Annotated(source, posts, labels, np.full((len(posts), len(labels)), np.nan), hateful, columns)


def run_suite(moderator: Moderator, suite: Annotated, rounds: int = 1000, seed: int = 0) -> SuiteResult:
    """Scores a suite by "any label flagged" and by the highest label score."""
    scored = score(moderator, suite)
    if scored.failed:
        raise InputError(
            f"{sum(scored.failed.values())} cases of '{suite.source}' could not be scored: {scored.failed}."
        )
    return summarise(suite, scored.sample, rounds, seed)


def summarise(suite: Annotated, sample: Sample, rounds: int = 1000, seed: int = 0) -> SuiteResult:
    """Builds the result from the scored cases of a suite, in its order."""
    right = sample.task(ANY).flags == (suite.hateful > 0)
    columns = suite.columns[FUNCTION], suite.columns[TARGET]
    rows = list(zip(*columns, right.tolist(), suite.hateful.tolist(), strict=True))
    return SuiteResult(
        suite.source,
        _cells([((function, target), ok) for function, target, ok, _ in rows]),
        _cells([(function, ok) for function, _, ok, _ in rows]),
        {function: bool(hateful) for function, _, _, hateful in rows},
        _cells([(target, ok) for _, target, ok, _ in rows]),
        evaluate(sample, rounds, seed),
    )


def _cells(rows: Sequence[tuple[Any, bool]]) -> dict[Any, Cell]:
    tally: dict[Any, list[bool]] = {}
    for key, ok in rows:
        tally.setdefault(key, []).append(ok)
    return {key: Cell(sum(found), len(found)) for key, found in tally.items()}


def _answer(row: dict[str, Any], number: int, path: Path) -> float:
    text = str(row[GOLD]).strip().lower()
    if text not in _YES | _NO:
        raise TableError(f"'{path}' row {number}: '{GOLD}' must be 'hateful' or 'non-hateful', and is {row[GOLD]!r}.")
    return (_YES | _NO)[text]
