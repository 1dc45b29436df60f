"""Sentences with the answer given: functional suites such as HateCheck, and template phrases per identity term."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from crossguard.data.cells import names_in
from crossguard.data.tables import read_whole
from crossguard.errors import InputError, TableError, suggest
from crossguard.evaluation.annotated import Annotated
from crossguard.evaluation.audit.identities import mentions
from crossguard.evaluation.estimates import plain
from crossguard.evaluation.leakage import group_number, numbered
from crossguard.evaluation.results import Evaluation, evaluate
from crossguard.evaluation.sample import ANY, Sample
from crossguard.evaluation.scoring import Scored, score
from crossguard.moderator import Moderator
from crossguard.records import Post

# Röttger et al. 2021; CC-BY-4.0.
HATECHECK = ("Paul/hatecheck", "test.csv")
TEXT, GOLD, FUNCTION, TARGET = "test_case", "label_gold", "functionality", "target_ident"
TEMPLATE = "templ_id"
_ANSWERS = {
    **dict.fromkeys(("hateful", "toxic", "1", "1.0", "true"), 1.0),
    **dict.fromkeys(("non-hateful", "nontoxic", "0", "0.0", "false"), 0.0),
}
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
                name: {"hateful": self.hateful[name], "accuracy": c.accuracy, "right": c.right, "cases": c.cases}
                for name, c in self.functions.items()
            },
            "targets": {name: {"accuracy": c.accuracy, "cases": c.cases} for name, c in self.targets.items()},
            "cells": [
                {"functionality": function, "target": target, "accuracy": cell.accuracy, "cases": cell.cases}
                for (function, target), cell in self.cells.items()
            ],
        }


def read_suite(path: Path, labels: tuple[str, ...]) -> Annotated:
    """Reads a CSV with the columns `test_case`, `label_gold`, `functionality`, `target_ident`; keeps the last two.

    Cases that share a template by its `templ_id`, where there is that column, are of one group: they differ in little
    else than whom they are about, and a model mostly decides them alike.
    """
    suite, rows = _read(path, labels, TEXT, GOLD, (FUNCTION, TARGET))
    answers = [
        (row[FUNCTION] or "", "hateful" if share > 0 else "harmless")
        for row, share in zip(rows, suite.hateful, strict=True)
    ]
    kinds = Counter(function for function, _ in set(answers))
    # Where cases of both kinds have one name, each kind is a functionality of its own.
    functions = tuple(f"{name} ({kind})".strip() if kinds[name] > 1 else name for name, kind in answers)
    columns = {FUNCTION: functions, TARGET: tuple(row[TARGET] or NO_TARGET for row in rows)}
    groups = _by_template(np.array([group_number(post, post.id) for post in suite.posts]), rows)
    return replace(suite, source=path.name, columns=columns, groups=groups)


def _by_template(groups: NDArray[np.int64], rows: Sequence[Mapping[str, Any]]) -> NDArray[np.int64]:
    """Returns the groups of cases, (n,), by their templates; a case without a template stays with its copies."""
    templates = [", ".join(names_in(row.get(TEMPLATE))) for row in rows]
    return numbered(template or int(group) for template, group in zip(templates, groups, strict=True))


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
    """
    phrases, _ = _read(path, labels, "phrase", "toxicity")
    picks = np.random.default_rng(seed).permutation(len(phrases))[: limit or None]
    return phrases.take(np.sort(picks))


def score_phrases(moderator: Moderator, phrases: Annotated) -> tuple[Scored, dict[str, NDArray[np.bool_]]]:
    """Scores the phrases, and returns which phrase holds which term: here terms, not groups, are compared."""
    scored = score(moderator, phrases)
    found = [{post.text[m.start : m.end].lower() for m in mentions(post.text)} for post in scored.annotated.posts]
    terms = sorted(set().union(*found))
    return scored, {term: np.array([term in named for named in found]) for term in terms}


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


def _read(
    path: Path, labels: tuple[str, ...], text: str, answer: str, others: Sequence[str] = ()
) -> tuple[Annotated, list[dict[str, Any]]]:
    """Returns texts as posts of which is only known whether they are hateful at all, and the rows of the table."""
    rows = read_whole(path)
    if not rows:
        raise TableError(f"'{path}' has no rows, so there is nothing to measure.")
    header = list(rows[0])
    for name in (text, answer, *others):
        if name not in header:
            raise TableError(f"'{path}' has no column '{name}'.{suggest(name, header)}")
    hateful = np.array([_answer(row[answer], answer, number, path) for number, row in enumerate(rows, start=1)])
    posts = tuple(Post(f"{text}-{number}", str(row[text] or "")) for number, row in enumerate(rows, start=1))
    return Annotated(str(path), posts, labels, np.full((len(posts), len(labels)), np.nan), hateful, {}), rows


def _answer(value: Any, column: str, number: int, path: Path) -> float:
    word = str(value).strip().lower()
    if word not in _ANSWERS:
        known = "'hateful' or 'non-hateful'" if column == GOLD else "'toxic' or 'nontoxic'"
        raise TableError(f"'{path}' row {number}: '{column}' must be {known}, and is {value!r}.")
    return _ANSWERS[word]
