"""Policies from what a run, or the folds of one, predicted for posts that it was not trained on."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from crossguard.decision.policy import LabelPolicy, Policy
from crossguard.errors import ConfigError, InputError
from crossguard.evaluation.calibration.criteria import Criterion
from crossguard.evaluation.calibration.fitting import Plan, fit
from crossguard.evaluation.calibration.maps import LEAST, different
from crossguard.evaluation.leakage import joined_fingerprints, keys_of, numbered, stored_fingerprints
from crossguard.evaluation.score_tables import PREDICTIONS, unpack_texts
from crossguard.models.loading import Outputs

logger = logging.getLogger(__name__)
HALF = 0.5
DEFAULT: Final = "default"


@dataclass(frozen=True, slots=True)
class PolicyPlan:
    """How one policy of a bundle is fitted."""

    name: str
    label_scheme: str  # which outputs it reads
    runs: tuple[Path, ...]  # folders whose predictions it is fitted on: a run, or all folds of a cross-validation
    criterion: Criterion = Criterion("f1")  # noqa: RUF009 a frozen value

    @classmethod
    def parse(cls, text: str) -> PolicyPlan:
        """Reads `NAME=SCHEME:RUN[,RUN...][@CRITERION]`; the criterion is `f1` when not given.

        A comma or an `@` in the name of a run that is there belongs to it.

        Raises:
            ConfigError: The text has another form.
        """
        name, equals, rest = text.partition("=")
        label_scheme, colon, runs = rest.partition(":")
        criterion = ""
        if not all(map(os.path.exists, _runs(runs))) and "@" in runs:
            runs, _, criterion = runs.rpartition("@")
        if not (equals and colon and name and label_scheme and runs) or "@" in label_scheme:
            raise ConfigError(
                f"--policy takes NAME=SCHEME:RUN[,RUN...][@CRITERION], as in default=labels:runs/a; got '{text}'."
            )
        return cls(name, label_scheme, tuple(map(Path, _runs(runs))), Criterion.parse(criterion or "f1"))


def _runs(text: str) -> list[str]:
    """Returns the runs in a list with commas; a name that is there may have commas itself."""
    found, parts = [], text.split(",")
    while parts:
        lengths = range(len(parts), 1, -1)
        taken = next((length for length in lengths if os.path.exists(",".join(parts[:length]))), 1)  # noqa: PTH110
        found.append(",".join(parts[:taken]))
        del parts[:taken]
    return found


def fit_policy(plan: PolicyPlan, labels: Sequence[str], columns: Sequence[int], version: str) -> Policy:
    """Fits calibrations and thresholds.

    A label that cannot be fitted, such as one with fewer than ten posts of either kind, keeps the plain sigmoid and the
    threshold one half; a warning and the description of the policy say so. Posts with the same words count as one, and
    so does a post that several runs predicted, such as one fold trained with several seeds.

    Raises:
        ConfigError: A run is not finished, or predicts other labels.
    """
    runs = [_predictions(plan, run, labels, columns) for run in plan.runs]
    own, targets = (np.concatenate([run[name] for run in runs]).astype(np.float64) for name in ("logits", "targets"))
    truth = np.where(np.isnan(targets), np.nan, targets >= HALF)
    posts = numbered(post for run in runs for post in _posts(run))
    different_posts = len(np.unique(posts))
    rules, problems = dict.fromkeys(labels, LabelPolicy(threshold=HALF)), dict[str, str]()
    for i, name in enumerate(labels):
        try:
            rules[name] = _fit_label(plan, name, own[:, [i]], truth[:, [i]], posts)
        except InputError as error:
            problems[name] = str(error)
    return Policy(
        name=plan.name,
        version=version,
        description=f"Thresholds by {plan.criterion} on {different_posts} posts that the model was not trained on."
        + _caveats(plan, problems, len(np.unique(posts[np.concatenate([run["cut"] for run in runs])]))),
        label_scheme=plan.label_scheme,
        labels=rules,
        provenance={"fitted_on": fitted_on(plan.runs, "measured_on", "thresholds and calibration")},
    )


def _caveats(plan: PolicyPlan, problems: Mapping[str, str], cut: int) -> str:
    """Warns of labels that were not fitted and of texts that were cut; returns both in brief."""
    brief = ""
    if problems:
        told = " ".join(problems.values())
        logger.warning("--policy %s: labels that could not be fitted have the threshold %s. %s", plan.name, HALF, told)
        brief += f" Not fitted, with the threshold {HALF}: {', '.join(problems)}."
    if cut:
        logger.warning(
            "--policy %s: the run read only the beginning of %s of these posts, whose texts are long; the bundle reads "
            "all of them. To fit a policy to whole texts: crossguard calibrate DATA --model BUNDLE",
            plan.name,
            cut,
        )
        brief += f" Only the beginning of {cut} long texts was read."
    return brief


def _predictions(
    plan: PolicyPlan, run: Path, labels: Sequence[str], columns: Sequence[int]
) -> dict[str, NDArray[np.generic]]:
    """Returns what a run predicted for the labels, what was right, and which texts it cut.

    Raises:
        ConfigError: The run is not finished, or is one of others, or of another version.
    """
    try:
        own = Outputs.of_run(run)
        with np.load(run / PREDICTIONS) as file:
            stored = dict(file)
    except (FileNotFoundError, ValueError, KeyError) as error:
        raise ConfigError(f"{run} is no finished run of `crossguard train`: {error}") from None
    if "contents" not in stored:
        raise ConfigError(
            f"{run} is a run of another version of Crossguard, which does not say which posts have the same words. To "
            "fit thresholds to it: crossguard calibrate DATA --model BUNDLE"
        )
    if own.labels != tuple(labels):
        raise ConfigError(
            f"--policy {plan.name}: {run} predicts [{', '.join(own.labels)}], and the model [{', '.join(labels)}]. "
            "Fit a policy to runs with the labels of the model, in their order."
        )
    if own.label_schemes.get(plan.label_scheme) != tuple(columns):
        raise ConfigError(
            f"--policy {plan.name}: {run} has other outputs for '{plan.label_scheme}' than the model. Its label "
            f"schemes: {', '.join(own.label_schemes)}."
        )
    return stored | {name: stored[name][:, list(columns)] for name in ("logits", "targets")}


def _posts(predicted: Mapping[str, NDArray[Any]]) -> Iterator[str]:
    """Returns what tells the posts of a run apart: what they say or show, or their ids where that is not known."""
    contents, sources, ids = (unpack_texts(predicted[name]) for name in ("contents", "sources", "ids"))
    return keys_of(contents, sources, ids)


def fitted_on(runs: Sequence[Path], part: str, what: str) -> list[dict[str, Any]]:
    """Returns the fingerprints that runs stored of their posts, one entry per source."""
    entries = joined_fingerprints(entry for run in runs for entry in stored_fingerprints(run, part))
    return [{"name": entry["name"], "what": what, "sketch": entry["sketch"]} for entry in entries]


def _fit_label(
    plan: PolicyPlan, name: str, logits: NDArray[np.float64], truth: NDArray[np.float64], posts: NDArray[np.intp]
) -> LabelPolicy:
    known = ~np.isnan(truth[:, 0])
    carrying, others = different(truth[known, 0] > 0, posts[known])
    if min(carrying, others) < LEAST:
        raise InputError(
            f"Label '{name}': {carrying} posts carry it and {others} do not, and a fit needs {LEAST} of each."
        )
    return fit(Plan(criterion=plan.criterion), (name,), logits, truth, groups=posts).rules[name]
