"""Several models side by side: the comparison table of the model cards, with intervals and paired bootstrap tests."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import numpy as np

from crossguard.errors import InputError
from crossguard.evaluation.bootstrap import Table, engine_for, resample
from crossguard.evaluation.estimates import Estimate, number
from crossguard.evaluation.metrics import Counts, Rounds
from crossguard.evaluation.runs import RUN, Run, read_run
from crossguard.evaluation.sample import ANY, Sample
from crossguard.evaluation.titles import ANY_KEYS, KEYS, best, title

LEAST_DEFINED: Final = 0.99
"""Part of the rounds in which a difference must be defined to be tested: about five posts of each kind that it needs.

k of them are all missing from a round with the chance exp(-k). With fewer, equal models often seem to differ: rounds
only repeat which of them either model got right.
"""
LEAST_POSTS: Final = 5
"""Different posts below which nothing is tested: copies of one text give the same difference in every round."""
UNTESTED: Final = "too few posts to test"


@dataclass(frozen=True, slots=True)
class Difference:
    """One metric of one model minus that of the first model, on the same posts."""

    value: Estimate
    p: float | None  # None where too few posts tell the models apart, and then there is no interval either


@dataclass(frozen=True, slots=True)
class Compared:
    """One model of the table."""

    name: str
    posts: int
    estimates: dict[str, Estimate]
    throughput: float | None
    # To the first row, by key; empty for the first row and where posts differ
    differences: dict[str, Difference] = field(default_factory=dict)
    note: str = ""  # why there are no differences, or empty
    warnings: tuple[str, ...] = ()  # what a reader must know before believing an estimate


def compare(
    runs: Sequence[Run | Compared],
    rounds: int = 1000,
    seed: int = 0,
    keys: Sequence[str] = KEYS,
    places: Sequence[str] = (),
) -> list[Compared]:
    """Puts runs side by side and tests each against the first.

    Runs of one name get the model's version as well, and those that still share one the place where each came from.
    """
    measured = [run.main for run in runs if isinstance(run, Run)]
    known = dict.fromkeys([*KEYS, *(key for main in measured for key in main.overall), *ANY_KEYS])
    for key in keys:
        if key not in known and all(main.estimate(key) is None for main in measured):
            raise InputError(f"Unknown metric '{key}'. Known: {', '.join(known)}, and so on per label.")
    rows = [_row(run, runs[0], (rounds, seed), keys) for run in runs]
    versions = [run.facts.model_version if isinstance(run, Run) else "" for run in runs]
    for words in (versions, [f"({place})" for place in places]):
        names = Counter(row.name for row in rows)
        for i, word in enumerate(words):
            if word and names[rows[i].name] > 1:
                rows[i] = replace(rows[i], name=f"{rows[i].name} {word}")
    return rows


def shown_keys(runs: Sequence[Run | Compared]) -> Sequence[str]:
    """Returns what is compared by default: averages, or where only it is known whether a post is hateful, that."""
    return KEYS if any(isinstance(run, Compared) or run.main.labels for run in runs) else ANY_KEYS


def read_entry(path: Path) -> Run | Compared:
    """Reads a run's folder, or a bare `test_metrics.json` such as the reference's.

    Raises:
        InputError: It is neither.
    """
    if path.is_dir() and (path / RUN).is_file():
        return read_run(path)
    try:
        data: Mapping[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        estimates = {key: number(float(data[key]), "NaN") for key in KEYS if isinstance(data.get(key), int | float)}
        posts = int(data.get("samples", 0))
    except (OSError, ValueError, TypeError, AttributeError) as error:
        why = error.strerror if isinstance(error, OSError) else error
        raise InputError(
            f"'{path}' is neither the folder of a run nor a test_metrics.json ({why}). Make a run with: "
            f"crossguard evaluate DATA --out {path}. Models need --data."
        ) from None
    if not estimates:
        raise InputError(f"'{path}' holds none of {', '.join(KEYS)}.")
    speed = data.get("samples_per_second")
    throughput = float(speed) if isinstance(speed, int | float) else None
    return Compared(path.parent.name or path.stem, posts, estimates, throughput, note="no posts to test on")


def paired_differences(
    one: Sample, other: Sample, keys: Sequence[str], rounds: int = 1000, seed: int = 0
) -> dict[str, Difference]:
    """Tests two models on the same posts: every resample draws the same posts for both.

    Raises:
        InputError: Ids or known labels differ, or a key is unknown.
    """
    # Of posts that share an id, the first of one is the first of the other, and so on.
    order, places = (sorted(range(len(sample)), key=sample.ids.__getitem__) for sample in (one, other))
    if [one.ids[row] for row in order] != [other.ids[row] for row in places] or {*one.annotated} != {*other.annotated}:
        raise InputError("measured on other posts or labels")
    aligned = other.take(np.array(places)[np.argsort(order)])
    for name in (*one.annotated, ANY):
        first, second = (sample.task(name) for sample in (one, aligned))
        if not (np.array_equal(first.rows, second.rows) and np.array_equal(first.truth, second.truth)):
            raise InputError("measured against other annotations")
    engines = [engine_for(sample) for sample in (one, aligned)]

    def compute(counts: Counts) -> Table:
        first, second = (engine(counts) for engine in engines)
        unknown = [key for key in keys if key not in first]
        if unknown:
            raise InputError(f"Unknown metric '{unknown[0]}'. Known: {', '.join(first)}.")
        return {key: first[key] - second[key] for key in keys}

    points = compute(np.ones((1, len(one)), dtype=np.int32))
    # Where one was measured without the words, the other knows which posts have the same.
    owners = one.owners if aligned.groups is None else aligned.owners
    drawn = resample(compute, owners, rounds if len(np.unique(owners)) >= LEAST_POSTS else 0, seed)
    return {key: _difference(float(points[key][0]), drawn.get(key, np.empty(0))) for key in keys}


def to_markdown(rows: Sequence[Compared], keys: Sequence[str] = KEYS) -> str:
    """Returns the comparison table in Markdown, best value per column in bold."""
    head = ["Model", *(title(key) for key in keys), "Posts/s"]
    lines = ["| " + " | ".join(head) + " |", "|" + " --- |" + " ---: |" * (len(head) - 1)]
    best_of = winners(rows, keys)
    for row in rows:
        cells = [row.name.replace("|", "\\|")]
        for key in keys:
            estimate = row.estimates.get(key)
            text = "" if estimate is None else str(estimate)
            if estimate is not None and estimate.value is not None and estimate.value == best_of[key]:
                text = text.replace(estimate.short, f"**{estimate.short}**", 1)
            difference = row.differences.get(key)
            cells.append(f"{text}<br>{describe(difference)}" if difference is not None else text)
        cells.append("" if row.throughput is None else f"{row.throughput:,.0f}")
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join([*lines, *(f"\n{note}" for note in notes(rows))]) + "\n"


def notes(rows: Sequence[Compared]) -> list[str]:
    """Returns what to know of the rows, one sentence each: what was not tested, and the warnings of runs."""
    told: dict[str, list[str]] = {}
    for row in rows:
        if row.note:
            told.setdefault(f"not tested: {row.note}.", []).append(row.name)
        for warning in row.warnings:
            told.setdefault(warning, []).append(row.name)
    return [f"{', '.join(dict.fromkeys(names))}: {warning}" for warning, names in told.items()]


def winners(rows: Sequence[Compared], keys: Sequence[str]) -> dict[str, float | None]:
    """Returns the best value of each column, None where there is none."""
    return {key: best(key, [row.estimates[key].value for row in rows if key in row.estimates]) for key in keys}


def describe(difference: Difference) -> str:
    """Returns a difference in words, such as `+0.012 [+0.001, +0.020], p = 0.020`."""
    estimate = difference.value
    if estimate.value is None:
        return f"difference undefined: {estimate.reason}"
    interval = "" if estimate.low is None or estimate.high is None else f" [{estimate.low:+.3f}, {estimate.high:+.3f}]"
    return f"{estimate.value:+.3f}{interval}, {chance_of(difference)}"


def chance_of(difference: Difference) -> str:
    """Returns the p of a difference in words, or that there is none."""
    if difference.p is None:
        return UNTESTED
    return "p < 0.001" if difference.p < 0.001 else f"p = {difference.p:.3f}"  # noqa: PLR2004 - what three decimals show


def _row(run: Run | Compared, first: Run | Compared, resampling: tuple[int, int], keys: Sequence[str]) -> Compared:
    if isinstance(run, Compared):
        return run
    estimates = {key: estimate for key in keys if (estimate := run.main.estimate(key)) is not None}
    row = Compared(run.facts.name, run.main.posts, estimates, run.throughput, warnings=run.warnings)
    if run is first:
        return row
    if isinstance(first, Compared):
        return replace(row, note="the first row has no posts to test on")
    try:
        return replace(row, differences=paired_differences(run.sample, first.sample, [*estimates], *resampling))
    except InputError as error:
        return replace(row, note=str(error))


def _difference(value: float, deltas: Rounds) -> Difference:
    if np.isnan(value):
        return Difference(Estimate.undefined("an estimate is undefined"), None)
    estimate = Estimate(value).with_rounds(deltas, LEAST_DEFINED)
    if estimate.low is None:
        return Difference(estimate, None)
    defined = deltas[~np.isnan(deltas)]
    beyond = min(int((defined <= 0).sum()), int((defined >= 0).sum()))
    # One is added so that no finite number of rounds claims impossibility (Davison and Hinkley 1997).
    p = min(1.0, 2 * (beyond + 1) / (len(defined) + 1))
    return Difference(estimate, p)
