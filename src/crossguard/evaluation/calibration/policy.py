"""The plain function behind `crossguard calibrate`: annotated posts and criteria give a policy file and its metrics."""

from __future__ import annotations

import shlex
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal, get_args

import numpy as np
import yaml

from crossguard.decision.calibration import Floats
from crossguard.decision.policy import Kind
from crossguard.decision.policy_file import LabelOverride, PolicyFile
from crossguard.errors import InputError
from crossguard.evaluation.annotated import Annotated
from crossguard.evaluation.calibration.feed import REFITS, at_prevalence, likely_prevalences
from crossguard.evaluation.calibration.fitting import Fitted, Plan, cross_fit, fit
from crossguard.evaluation.calibration.maps import FOLDS, KINDS, LEAST, Groups, different
from crossguard.evaluation.estimates import Estimate
from crossguard.evaluation.leakage import duplicate_groups, leaks, sketch
from crossguard.evaluation.results import Evaluation, evaluate
from crossguard.evaluation.sample import Sample
from crossguard.evaluation.scoring import error_codes, in_other_languages, score, unscored
from crossguard.labels import HATE, UNION
from crossguard.moderator import Moderator
from crossguard.records import Post
from crossguard.saving import save_text

_TOO_GOOD: Final = (
    "A model is surer of posts that it learned from, so what is fitted to them, and these metrics, are too good for "
    "others. Fit to posts that it did not learn from, such as another --split."
)


@dataclass(frozen=True, slots=True, eq=False)
class FittedPolicy:
    """A fitted policy and how good it is."""

    file: PolicyFile
    fitted: Fitted
    cross_validated: Evaluation  # metrics in which no post has a part in its own fit
    # Cross-validated `precision`, `recall` and `f1` by label, at the prevalence that the policy is for: all three at
    # the same one, so that they can be read in one row. At the data's own where no other was given.
    feed: dict[str, dict[str, Estimate]]
    feed_in_sample: dict[str, dict[str, Estimate]]  # on the very posts of the fit; the difference is overfitting
    notes: tuple[str, ...]


def calibrate(
    moderator: Moderator,
    annotated: Annotated,
    plan: Plan,
    *,
    name: str,
    version: str = "1",
    feed: Sequence[Post] = (),
    rounds: int = 1000,
    command: str = "",
) -> FittedPolicy:
    """Fits calibration, thresholds and bands to annotated posts that the model was not trained on.

    Labels with fewer than ten different posts of either kind keep the rule of the moderator's own policy. `feed` are
    unlabelled posts of the feed that the new one is for.

    Raises:
        InputError: No label can be fitted, a criterion cannot be met, or a guarantee needs more posts.
    """
    if np.isnan(annotated.truth).all() and not np.isnan(annotated.hateful).all():
        raise InputError(
            f"'{annotated.source}' says only whether a post is hateful, and a policy has a threshold per label. "
            f"Give it a column per label ({', '.join(annotated.labels)}), with 1, 0 or nothing in each."
        )
    scored = score(moderator, annotated)
    tasks = scored.sample.tasks()
    groups = duplicate_groups(scored.annotated.posts)
    counts = {task.name: different(task.truth, groups[task.rows]) for task in tasks}
    labels = tuple(name for name, both in counts.items() if min(both) >= LEAST)
    if not labels:
        found = ", ".join(f"{name} {carrying} and {others}" for name, (carrying, others) in counts.items())
        raise InputError(
            f"No label has {LEAST} posts that carry it and {LEAST} that do not, so nothing can be fitted: "
            f"{found or 'no post has an answer'}. Posts with the same words count once. Annotate more posts."
        )
    columns = [scored.sample.labels.index(label) for label in labels]
    logits, truth = scored.logits[:, columns], scored.sample.truth[:, columns]
    fresh, feed_groups, unread = _logits(moderator, feed) if feed else (None, groups, {})
    outside = None if fresh is None else fresh[:, columns]
    fitted = fit(plan, labels, logits, truth, groups=groups, feed=outside)
    limits = {label: rule.threshold for label, rule in fitted.rules.items()}
    scores, ids = fitted.scores(labels, logits), scored.sample.ids
    same = Sample.build(labels, truth, scores, limits, ids=ids, groups=groups)
    crossed = cross_fit(plan, same, logits, groups, feed=outside)
    cross_validated = evaluate(crossed, rounds, plan.seed)
    model = {"model": _fitted_to(moderator, labels)}
    provenance = model | _provenance(scored.annotated, plan, labels, cross_validated, command)
    provenance["fitted_on"] += _kept_fitted_on(moderator, labels)
    file = _policy_file(moderator, fitted, provenance, name=name, version=version)
    at = {label: None if rule.prevalence is None else rule.prevalence.target for label, rule in fitted.rules.items()}
    likely = {} if outside is None else _likely(plan, fitted, same, logits, (outside, feed_groups), min(rounds, REFITS))
    return FittedPolicy(
        file,
        fitted,
        cross_validated,
        feed={
            label: at_prevalence(
                crossed.task(label), at[label], rounds, plan.seed, likely=likely.get(label), owners=crossed.owners
            )
            for label in labels
        },
        feed_in_sample={label: at_prevalence(same.task(label), at[label]) for label in labels},
        notes=(
            *annotated.notes,
            *(f"{told} {_TOO_GOOD}" for told in leaks(moderator.bundle.provenance(), annotated.posts)),
            *unscored(scored.failed, "the fit"),
            *in_other_languages(scored),
            *unscored(unread, "the prevalence and the budget", of=" of the feed"),
            *fitted.notes,
            *_notes(moderator, labels, plan),
        ),
    )


def _likely(  # noqa: PLR0917
    plan: Plan, fitted: Fitted, sample: Sample, logits: Floats, feed: tuple[Floats, Groups], rounds: int
) -> dict[str, Floats]:
    """Returns prevalences of the feed for each label whose own is estimated; none for 0 rounds.

    `feed` are the logits of its posts, (m, labels), and the numbers that copies among them share, (m,).
    """
    found = {}
    for column, label in enumerate(sample.labels):
        if rounds and label not in plan.prevalence:
            task, fit_map = sample.task(label), KINDS[fitted.kinds[label]]
            found[label] = likely_prevalences(
                fit_map,
                logits[task.rows, column],
                task.truth,
                feed[0][:, column],
                owners=sample.owners[task.rows],
                feed_owners=feed[1],
                rounds=rounds,
                seed=plan.seed,
            )
    return found


def _policy_file(
    moderator: Moderator, fitted: Fitted, provenance: dict[str, Any], *, name: str, version: str
) -> PolicyFile:
    """Names every field of a fitted label, so that nothing of the base's other scale of scores shows through.

    Of a base that a policy file made, all else is repeated; what the file says per tenant is not known here.
    """
    base = moderator.policy
    labels = {label: LabelOverride(**dict(rule)) for label, rule in fitted.rules.items()}
    kept: dict[str, Any] = {}
    if base.base is not None:
        labels = {label: LabelOverride(**dict(rule)) for label, rule in base.labels.items()} | labels
        kept = {key: getattr(base, key) for key in ("attributes", "costs", "feed_prevalence")}
        lost = _lost_maps(moderator, tuple(fitted.rules))
        kept["perspective"] = {name: found for name, found in base.perspective.items() if name not in lost}
    return PolicyFile(
        name=name,
        version=version,
        base=base.base or base.name,
        description=_description(moderator, provenance),
        labels=labels,
        # What was fitted here holds for every kind of input; bands of the base have another scale.
        inputs={
            kind: {name: rule for name, rule in rules.items() if name not in fitted.rules}
            for kind, rules in base.inputs.items()
            if not set(rules) <= set(fitted.rules)
        },
        provenance=provenance,
        **kept,
    )


def _description(moderator: Moderator, provenance: Mapping[str, Any]) -> str:
    """Says by which criterion each label was fitted, and which were not."""
    criteria: dict[str, str] = provenance["criteria"]
    labels = {found: [name for name, own in criteria.items() if own == found] for found in criteria.values()}
    by = " and ".join(f"{found} for {', '.join(names)}" for found, names in labels.items())
    kept = ", ".join(_kept(moderator, criteria))
    stays = f" Not fitted: {kept}, as in '{moderator.policy.name}'." if kept else ""
    return f"Fitted on {provenance['fitted_on'][0]['name']}: {by}.{stays}"


def _kept(moderator: Moderator, fitted: Collection[str]) -> list[str]:
    """Returns the labels whose rule is that of the base."""
    return [label for label in moderator.labels.names if label not in fitted]


def _kept_fitted_on(moderator: Moderator, fitted: Collection[str]) -> list[dict[str, Any]]:
    """Returns what the rules that stay were fitted on, and which rules, by a policy file; a bundle says so itself."""
    kept, entries = _kept(moderator, fitted), moderator.policy.provenance.get("fitted_on", ())
    found = [{**entry, "labels": [name for name in kept if name in entry.get("labels", kept)]} for entry in entries]
    return [entry for entry in found if entry["labels"]]


def _lost_maps(moderator: Moderator, fitted: Sequence[str]) -> list[str]:
    """Returns the maps to Perspective's scores from those of fitted labels, which have another scale now."""
    of_labels = UNION.lower() not in moderator.bundle.manifest.attributes and not set(HATE.names).isdisjoint(fitted)
    return [name for name in moderator.policy.perspective if name.lower() in fitted or (name == UNION and of_labels)]


def _fitted_to(moderator: Moderator, fitted: Sequence[str]) -> Any:
    """Returns the model that the maps of the new policy are for: while any of the base stay, the model of those."""
    base, own = moderator.policy, moderator.bundle.identity
    if set(base.perspective) > set(_lost_maps(moderator, fitted)) or not set(base.labels) <= set(fitted):
        return base.provenance.get("model", own)
    return own


def _notes(moderator: Moderator, fitted: Sequence[str], plan: Plan) -> list[str]:
    base, notes = moderator.policy, []
    if kept := _kept(moderator, fitted):
        notes.append(f"Too few different posts of either kind for {', '.join(kept)}: the rule of '{base.name}' stays.")
    rules = [base.rules(kind) for kind in get_args(Kind)]
    blocking = [name for name in kept if any(rule[name].block is not None for rule in rules)]
    blocking += [name for name, bands in base.attributes.items() if bands.block is not None]
    if plan.block_rate is not None and blocking:
        notes.append(f"--block-rate leaves out what '{base.name}' blocks for {', '.join(blocking)}.")
    if maps := ", ".join(_lost_maps(moderator, fitted)):
        notes.append(
            f"The new policy has no map to Perspective's scores for {maps}: those of '{base.name}' are from scores on "
            "another scale. Fit them anew: crossguard perspective map --policy FILE"
        )
    asked = [label for label in moderator.labels.names if label in {*plan.criteria, *plan.prevalence}]
    if lost := ", ".join(label for label in asked if label not in fitted):
        notes.append(f"What was asked for {lost} (criterion, prevalence) is not in the policy.")
    if plan.block_rate is None and (lost := ", ".join(name for name in fitted if base.labels[name].block is not None)):
        notes.append(
            f"'{base.name}' blocks posts for {lost}; the new policy sends them to review, as its scores have another "
            "scale. Give --block-rate to fit where it blocks."
        )
    return notes


def usage(path: Path | str, model: str, command: Literal["score", "serve"] = "score") -> str:
    """Returns the command that scores or serves by a policy file of a model."""
    of_model = "" if model == "compact" else f" --model {shlex.quote(model)}"
    posts = " ..." if command == "score" else ""
    return f"crossguard {command}{of_model} --policy {shlex.quote(str(path))}{posts}"


def write_policy(
    file: PolicyFile, path: Path, model: str = "compact", command: Literal["score", "serve"] = "score"
) -> None:
    """Writes a policy file for a model as YAML, and at its head how it is used by a command."""
    data = file.model_dump(mode="json", exclude=None if file.tenants else {"tenants"})
    head = f"# Use it with: {usage(path.name, model, command)}\n"
    save_text(path, head + yaml.safe_dump(data, sort_keys=False, default_flow_style=None, width=110))


def _logits(moderator: Moderator, posts: Sequence[Post]) -> tuple[Floats, Groups, dict[str, int]]:
    """Returns the logits of the posts that have some, numbers that copies among these share, and how many have none."""
    logits, failed = moderator.logits(posts)
    columns = moderator.bundle.columns(moderator.policy)
    values = logits.values[:, columns].astype(np.float64)
    ready = ~np.isnan(values).any(axis=1)
    if not ready.any():
        raise InputError(f"None of the {len(posts)} posts of the feed could be scored.")
    return values[ready], duplicate_groups(posts)[ready], error_codes(failed)


def _provenance(
    annotated: Annotated, plan: Plan, labels: Sequence[str], measured: Evaluation, command: str
) -> dict[str, Any]:
    fitted_on = {
        "name": Path(annotated.source).name,
        "what": "thresholds and calibration",
        "labels": list(labels),
        "posts": len(annotated),
        "sketch": sketch(annotated.posts),
    }
    estimates = {
        key: measured.overall[key].value for key in ("precision_macro", "recall_macro", "f1_macro", "f1_micro")
    }
    guarantees = {"miss_rate": plan.miss_rate, "block_rate": plan.block_rate}
    return {
        "fitted_on": [fitted_on],
        "criteria": {label: str(plan.criterion_of(label)) for label in labels},
        "guarantees": {key: value for key, value in guarantees.items() if value is not None},
        f"metrics_cross_validated_in_{FOLDS}_folds": estimates,
        "command": command,
    }
