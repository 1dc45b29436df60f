"""The plain functions behind `crossguard evaluate`: a model or a file of scores on annotated posts gives a `Run`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from crossguard.decision.calibration import logit
from crossguard.errors import InputError, number_of
from crossguard.evaluation.annotated import Annotated
from crossguard.evaluation.calibration.fitting import Plan, cross_fit
from crossguard.evaluation.calibration.maps import FOLDS, LEAST, enough
from crossguard.evaluation.leakage import duplicate_groups, leaks, near_duplicates
from crossguard.evaluation.results import Evaluation, baselines, evaluate
from crossguard.evaluation.runs import Facts, Run
from crossguard.evaluation.sample import Sample
from crossguard.evaluation.score_tables import GivenScores
from crossguard.evaluation.scoring import (
    Scored,
    View,
    changed_by_hand,
    half_answered,
    has_both,
    in_other_languages,
    score,
    unscored,
)
from crossguard.moderator import Moderator
from crossguard.records import Post

# No threshold makes metrics on posts that the weights were fitted to those of others.
ANOTHER_SPLIT = "Use posts that the model did not learn from, such as another split."
# From this part of copies on, it is told that intervals know of them.
MANY_COPIES = 0.1
ALONE: tuple[View, ...] = ("text-only", "image-only")


@dataclass(frozen=True, slots=True)
class EvaluationRequest:
    """How to measure."""

    name: str = ""
    rounds: int = 1000
    seed: int = 0
    # Calibrate and set thresholds by cross-fitting on these very posts, instead of the policy's
    cross_fit: Plan | None = None
    training: Sequence[Post] = ()  # posts that the model was trained on, to look for near-duplicates of
    split: str | None = None
    command: str = ""


def measure_model(moderator: Moderator, annotated: Annotated, request: EvaluationRequest) -> tuple[Run, Scored]:
    """Measures a model: fused, each modality alone, without near-duplicates of the training data, and baselines.

    Raises:
        InputError: No post could be scored, or no label has enough different posts for a cross-fit.
    """
    scored = score(moderator, annotated)
    bundle, policy = moderator.bundle, moderator.policy
    source, told = _fitted_on(moderator), leak_warnings(bundle.provenance(), annotated, ANOTHER_SPLIT)
    if request.cross_fit is None:
        told += leak_warnings(bundle.policy_provenance(policy), annotated)
        if policy.inputs:
            source += "; thresholds shown are those for text alone, posts with an image have others"
    model, sample = bundle.manifest.model, scored.sample
    maker = (model.name, model.version, policy.name, policy.version)
    limits = {name: policy.labels[name].threshold for name in moderator.labels.names}
    given = GivenScores(sample.scores, sample.flags, limits, source, maker, scored.failed)
    name = request.name or f"{model.name} {policy.name}"
    run = _measured(name, given, scored.logits, scored.annotated, request)
    run = replace(
        run,
        facts=replace(run.facts, seconds=scored.seconds),
        variants=_modalities(moderator, scored, run.sample, request) | run.variants,
        warnings=(*told, *run.warnings, *in_other_languages(scored)),
    )
    return run, scored


def _fitted_on(moderator: Moderator) -> str:
    policy, bundle = moderator.policy, moderator.bundle
    names, own = ", ".join(bundle.fitted_on(policy)), changed_by_hand(moderator)
    by_hand = f"those of {', '.join(own)} written by hand; " if own else ""
    if names:
        return f"{by_hand}what the policy '{policy.base}' has was fitted on {names}" if own else f"fitted on {names}"
    words = policy.description.rstrip(".")
    return by_hand + (
        f"the policy does not name the data that it was fitted on, and describes itself so: {words}"
        if words
        else "the policy does not say what they were fitted on"
    )


def measure_scores(given: GivenScores, annotated: Annotated, request: EvaluationRequest) -> Run:
    """Measures scores that were made elsewhere, such as cross-validated ones of a training run.

    They are in the order of the posts, and flagged as given where the request has no cross-fit.

    Raises:
        InputError: No label has enough different posts for a cross-fit.
    """
    ready = given.ready
    given = replace(given, scores=given.scores[ready], flags=given.flags[ready])
    # What a model would not read of the posts, other scores may have.
    annotated = replace(annotated.take(ready), unread=())
    run = _measured(request.name or "scores", given, logit(given.scores), annotated, request)
    told = [] if given.answers is None else _other_answers(given.answers[ready], annotated)
    return replace(run, warnings=(*told, *run.warnings))


def _other_answers(answers: NDArray[np.float64], annotated: Annotated) -> list[str]:
    """Says where a training run was told something else of the posts, (n, L), than is asked of its scores."""
    truth = annotated.truth
    other = ~np.isnan(answers) & ~np.isnan(truth) & (answers != truth)
    if not other.any():
        return []
    shown = ", ".join(f"{name} {n}" for name, n in zip(annotated.labels, other.sum(axis=0), strict=True) if n)
    number, posts = int(other.any(axis=1).sum()), number_of(len(truth), "post")
    told = (
        f"The training run had other answers to {number} of {posts} ({shown}), so its own metrics are of another "
        "question. Either the answers have changed since, or its 'aggregation' counts annotators in another way than "
        f"from {annotated.positive_from:g} on: --positive-from 0.001 is that of 'any', 0.501 of 'majority', 1 of "
        "'unanimous'."
    )
    return [told]


def _measured(
    name: str, given: GivenScores, logits: NDArray[np.float64], annotated: Annotated, request: EvaluationRequest
) -> Run:
    """Measures scores of these posts, cross-fitted where that is asked for."""
    sample = replace(annotated.sample(given.scores), flags=given.flags)
    plan, limits, source, warnings = request.cross_fit, dict(given.thresholds), given.source, list[str]()
    if plan is not None:
        sample, fitted = _cross_fitted(plan, sample, logits, annotated)
        if not fitted:
            raise InputError(
                f"--cross-fit needs a label that {LEAST} posts carry and {LEAST} do not, and no label has that many. "
                "Posts with the same words count once. Leave it out to measure at the thresholds as they are."
            )
        limits = {name: limit for name, limit in limits.items() if name not in fitted}
        source = f"cross-fitted in {FOLDS} folds on these posts ({plan.criterion}): none has a part in its own fit"
        if few := ", ".join(name for name in sample.annotated if name not in fitted):
            warnings.append(f"Too few different posts of one kind to cross-fit: {few}. Their thresholds stay.")
    model, model_version, policy, policy_version = given.maker or (name, "", "", "")
    facts = Facts(
        name=name,
        model=model,
        model_version=model_version,
        policy=policy,
        policy_version=policy_version,
        thresholds=limits,
        thresholds_from=source,
        data=Path(annotated.source).name,
        split=request.split,
        positive_from=annotated.positive_from,
        rounds=request.rounds,
        seed=request.seed,
        command=request.command,
        failed=dict(given.failed),
    )
    warnings += [*_gaps(sample, given), *annotated.notes]
    main = evaluate(sample, request.rounds, request.seed)
    return Run(facts, sample, main, _others(sample, annotated, request), tuple(warnings))


def leak_warnings(
    provenance: Mapping[str, Any], annotated: Annotated, instead: str = "Use another split, or --cross-fit."
) -> list[str]:
    """Says so when the evaluated posts are those that something was fitted on, and what to do instead."""
    meaning = "The metrics are in-sample to that extent, and too high."
    return [f"{told} {meaning} {instead}" for told in leaks(provenance, annotated.posts)]


def _cross_fitted(
    plan: Plan, sample: Sample, logits: NDArray[np.float64], annotated: Annotated
) -> tuple[Sample, list[str]]:
    """Returns the sample with cross-fitted scores and flags, and the labels that have enough posts of either kind.

    Its posts are ranked as they were, because every fold maps scores in its own way.
    """
    groups = duplicate_groups(annotated.posts)
    fitted = [task.name for task in sample.tasks() if enough(task.truth, groups[task.rows])]
    columns = [sample.labels.index(name) for name in fitted]
    scores, flags = sample.scores.copy(), sample.flags.copy()
    if columns:
        known = sample.truth[:, columns]
        part = Sample(tuple(fitted), sample.ids, known, scores[:, columns], flags[:, columns], sample.hateful)
        crossed = cross_fit(plan, part, logits[:, columns], groups)
        scores[:, columns], flags[:, columns] = crossed.scores, crossed.flags
    return replace(sample, scores=scores, flags=flags, before=sample.scores), fitted


def _modalities(
    moderator: Moderator, scored: Scored, sample: Sample, request: EvaluationRequest
) -> dict[str, Evaluation]:
    """Fused beside each modality alone, all on the posts that have both."""
    rows = has_both(scored)
    if not rows.any():
        return {}
    both = scored.annotated.take(rows)
    samples = {"fused": sample.take(rows)}
    for view in ALONE:
        alone = score(moderator, both, view)
        samples[view] = alone.sample
        if request.cross_fit is not None:
            samples[view], _ = _cross_fitted(request.cross_fit, alone.sample, alone.logits, alone.annotated)
    note = f"{len(both)} posts with text and image"
    return {f"{view}, {note}": evaluate(s, request.rounds, request.seed) for view, s in samples.items()}


def _others(sample: Sample, annotated: Annotated, request: EvaluationRequest) -> dict[str, Evaluation]:
    found = {}
    if request.training:
        again = near_duplicates(annotated.posts, request.training)
        fresh = sample.take(~again)
        if again.any() and len(fresh):
            name = f"without {int(again.sum())} near-duplicates of the training data"
            found[name] = evaluate(fresh, request.rounds, request.seed)
    for name, guess in baselines(sample).items():
        found[f"baseline {name}"] = evaluate(guess, request.rounds, request.seed)
    return found


def _gaps(sample: Sample, given: GivenScores) -> list[str]:
    warnings = []
    absent = [name for name in sample.labels if name not in sample.annotated]
    if absent and sample.annotated:
        warnings.append(
            f"Not annotated here, so not measured: {', '.join(absent)}. Averages are over the others, and so is 'any' "
            "unless the column 'hateful' says it."
        )
    if given.absent:
        posts = number_of(given.absent, "post")
        warnings.append(
            f"Left out of the metrics: {posts} without a score, and without an answer or anything to score."
        )
    warnings += half_answered(sample)
    copies = len(sample) - len(np.unique(sample.owners))
    if copies > MANY_COPIES * len(sample):
        warnings.append(
            f"Of {number_of(len(sample), 'post')}, {copies:,} {'repeats' if copies == 1 else 'repeat'} the words of "
            "another, or without words its image. All count in the metrics; intervals take them as one."
        )
    return [*warnings, *unscored(given.failed, "the metrics")]
