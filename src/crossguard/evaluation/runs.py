"""One evaluation run: what was measured on what, and the folder that holds it."""

from __future__ import annotations

import json
import zipfile
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import TypeAdapter

from crossguard.__about__ import __version__
from crossguard.errors import InputError, OutputError, first_line
from crossguard.evaluation.estimates import plain
from crossguard.evaluation.results import Evaluation, to_report, to_test_metrics
from crossguard.evaluation.sample import Sample
from crossguard.evaluation.score_tables import pack_texts, unpack_texts
from crossguard.saving import save_json

SCHEMA = 2
# None of these is a name that `crossguard train` writes, so an evaluation may lie in the folder of its run.
RUN, TEST_METRICS, REPORT, SCORES = "run.json", "test_metrics.json", "test_report.json", "scores.npz"


@dataclass(frozen=True, slots=True)
class Facts:
    """Where the estimates come from."""

    name: str
    model: str  # name of the bundle, or of the file of scores
    thresholds: dict[str, float]  # by label; empty where each fold had its own
    thresholds_from: str  # one sentence: which posts the thresholds and calibration were fitted on
    data: str
    split: str | None  # value of the column `split`, or None for all rows
    rounds: int
    seed: int
    command: str
    model_version: str = ""
    policy: str = ""
    policy_version: str = ""
    failed: dict[str, int] = field(default_factory=dict)
    seconds: float | None = None
    positive_from: float = 0.5  # the value from which a label counted as given
    crossguard: str = __version__


@dataclass(frozen=True, slots=True, eq=False)
class Run:
    """A measured model."""

    facts: Facts
    sample: Sample
    main: Evaluation
    # Metrics of other views (`text-only`), subsets (`without near-duplicates`) and baselines, by name
    variants: dict[str, Evaluation] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()  # what a reader must know before believing an estimate

    @property
    def throughput(self) -> float | None:
        """Posts per second, or None where scores came from a file."""
        return None if self.facts.seconds is None else len(self.sample) / max(self.facts.seconds, 1e-9)

    def to_dict(self) -> dict[str, Any]:
        """Returns plain data for JSON, without the posts."""
        return {
            "schema": SCHEMA,
            "throughput": self.throughput,
            **{name: plain(getattr(self, name)) for name in ("facts", "warnings", "main", "variants")},
        }


def write_run(run: Run, folder: Path) -> list[Path]:
    """Writes `run.json`, `test_metrics.json`, `test_report.json` and `scores.npz`; no text of any post."""
    flat = to_test_metrics(run.main)
    if run.facts.seconds is not None:
        flat |= {"runtime": run.facts.seconds, "samples_per_second": run.throughput}
    report = to_report(run.main, run.facts.thresholds)
    for name, data in ((RUN, run.to_dict()), (TEST_METRICS, flat), (REPORT, report)):
        save_json(folder / name, data, allow_nan=False)
    stored = {entry.name: getattr(run.sample, entry.name) for entry in fields(Sample)}
    columns: dict[str, Any] = {name: values for name, values in stored.items() if values is not None}
    columns["ids"] = pack_texts(run.sample.ids)  # one may be a link
    try:
        np.savez_compressed(folder / SCORES, **columns)
    except OSError as error:
        raise OutputError(f"Cannot write to '{folder}': {error.strerror}.") from None
    return [folder / name for name in (RUN, TEST_METRICS, REPORT, SCORES)]


def read_run(folder: Path) -> Run:
    """Reads what `write_run` wrote.

    Raises:
        InputError: The folder holds no run, or one of a newer Crossguard.
    """
    try:
        data = json.loads((folder / RUN).read_text(encoding="utf-8"))
        if data["schema"] != SCHEMA:
            raise InputError(
                f"'{folder}' has run schema {data['schema']}, and this Crossguard reads {SCHEMA}. Evaluate again."
            )
        with (folder / SCORES).open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            stored = {name: arrays[name] for name in arrays.files}
        sample = Sample(
            tuple(map(str, stored["labels"])),
            tuple(unpack_texts(stored["ids"])),
            stored["truth"],
            stored["scores"],
            stored["flags"],
            stored["hateful"],
            stored.get("before"),
            stored.get("groups"),
        )
        read = TypeAdapter(Evaluation).validate_python
        variants = {name: read(variant) for name, variant in data["variants"].items()}
        return Run(Facts(**data["facts"]), sample, read(data["main"]), variants, tuple(data["warnings"]))
    except (OSError, ValueError, EOFError, KeyError, TypeError, AttributeError, zipfile.BadZipFile) as error:
        why = error.strerror if isinstance(error, OSError) else first_line(error)
        raise InputError(
            f"'{folder}' holds no evaluation run ({why}). Make one: crossguard evaluate DATA --out {folder}"
        ) from None
