"""The plain function behind `crossguard audit`: everything that was asked for, in one record."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from crossguard.__about__ import __version__
from crossguard.data.cells import Shares, names_in
from crossguard.errors import InputError, suggest
from crossguard.evaluation.annotated import Annotated
from crossguard.evaluation.audit.bias import BiasAudit, audit_groups
from crossguard.evaluation.audit.counterfactuals import (
    Counterfactuals,
    compare_groups,
    compare_templates,
    swapped_sentences,
)
from crossguard.evaluation.audit.identities import DIALECT_GROUP, RECLAIMED_GROUP, members
from crossguard.evaluation.audit.robustness import EvasionTest, Robustness, measure_robustness
from crossguard.evaluation.audit.suites import SuiteResult, run_suite, score_phrases
from crossguard.evaluation.estimates import plain
from crossguard.evaluation.leakage import leaks
from crossguard.evaluation.sample import ANY, overall
from crossguard.evaluation.scoring import half_answered, in_other_languages, score, unscored
from crossguard.moderator import Moderator
from crossguard.saving import save_json

AUDIT: Final = "audit.json"


@dataclass(frozen=True, slots=True)
class AuditRequest:
    """What to audit."""

    posts: Annotated | None = None
    # Columns of the posts that name a group; groups are found by identity terms when empty
    group_columns: tuple[str, ...] = ()
    question: str = ANY  # of the posts and the swaps: a label, or `any`, which phrases and suites have answers to
    madlibs: Annotated | None = None
    suites: tuple[Annotated, ...] = ()
    evasion: EvasionTest | None = None  # how to disguise the posts and the suites; None for not at all
    swaps: int = 200  # how many sentences of the posts to swap identities in; the built-in templates are always swapped
    rounds: int = 200
    seed: int = 0
    command: str = ""


@dataclass(frozen=True, slots=True)
class Audit:
    """What was found."""

    model: str
    policy: str
    groups: dict[str, BiasAudit] = field(default_factory=dict)
    counterfactuals: tuple[Counterfactuals, ...] = ()
    suites: tuple[SuiteResult, ...] = ()
    robustness: tuple[Robustness, ...] = ()
    warnings: tuple[str, ...] = ()
    command: str = ""
    crossguard: str = __version__


def audit(moderator: Moderator, request: AuditRequest) -> Audit:
    """Runs the audits that were asked for.

    Raises:
        InputError: The question or a group column is unknown, the posts have no answers to the question or could not
            be scored, or there is nothing to disguise.
    """
    if request.evasion is not None and request.posts is None and not request.suites:
        raise InputError(
            "--evasion disguises annotated posts: crossguard audit POSTS --evasion, or --suite CSV --evasion"
        )
    known = (*moderator.labels.names, ANY)
    if request.question not in known:
        raise InputError(f"Unknown label '{request.question}'.{suggest(request.question, known)}")
    if request.posts is not None:
        _check_answers(request.posts, request.question)
    groups: dict[str, BiasAudit] = {}
    swaps = [compare_templates(moderator, request.question)]
    notes: list[str] = []
    if request.posts is not None:
        name = Path(request.posts.source).name
        scored = score(moderator, request.posts)
        told = [*unscored(scored.failed, "the audit"), *request.posts.notes, *in_other_languages(scored)]
        told += half_answered(scored.sample) if request.question == ANY else []
        told += _leaks(moderator, request.posts)
        notes += [f"{name}: {note}" for note in told]
        texts = [f"{post.text} {post.image_text}" for post in scored.annotated.posts]
        found = column_groups(scored.annotated, request.group_columns) if request.group_columns else members(texts)
        if found:
            groups[name] = audit_groups(scored.sample, found, request.question, request.rounds, request.seed)
        own = swapped_sentences([post.text for post in scored.annotated.posts], request.swaps, request.seed)
        if own:
            swaps.append(compare_groups(moderator, own, name, request.question))
        if not found:
            notes.append(f"{name}: no post names a group.")
        elif request.swaps and not own:
            notes.append(f"{name}: no post names exactly one group once.")
    if request.madlibs is not None:
        phrases, terms = score_phrases(moderator, request.madlibs)
        source = Path(request.madlibs.source).name
        notes += [f"{source}: {note}" for note in unscored(phrases.failed, "the audit")]
        groups[source] = audit_groups(phrases.sample, terms, ANY, request.rounds, request.seed)
    suites = tuple(run_suite(moderator, suite, request.rounds, request.seed) for suite in request.suites)
    model, policy = moderator.bundle.manifest.model, moderator.policy
    return Audit(
        f"{model.name} {model.version}",
        f"{policy.name} {policy.version}",
        groups,
        tuple(swaps),
        suites,
        _robustness(moderator, request),
        (*_warnings(groups), *notes),
        request.command,
    )


def _check_answers(posts: Annotated, question: str) -> None:
    known = [name for name, column in zip(posts.labels, posts.truth.T, strict=True) if not np.isnan(column).all()]
    known += [] if np.isnan(overall(posts.truth, posts.hateful)).all() else [ANY]
    if question in known:
        return
    if question == ANY and known:
        raise InputError(
            f"Every post of '{posts.source}' lacks an answer for a label, so nobody says which are hateful. "
            f"Ask for one label: --label {known[0]}. Or add a column 'hateful'."
        )
    raise InputError(f"'{posts.source}' has no answers for '{question}'. It has: {', '.join(known) or 'none'}.")


def _leaks(moderator: Moderator, posts: Annotated) -> list[str]:
    provenances = (moderator.bundle.provenance(), moderator.bundle.policy_provenance(moderator.policy))
    found = [told for provenance in provenances for told in leaks(provenance, posts.posts)]
    return [f"{told} Other posts are treated worse than these figures say." for told in found]


def _robustness(moderator: Moderator, request: AuditRequest) -> tuple[Robustness, ...]:
    if request.evasion is None:
        return ()
    tests = [(suite, replace(request.evasion, question=ANY)) for suite in request.suites]
    if request.posts is not None:
        tests.insert(0, (replace(request.posts, source=Path(request.posts.source).name), request.evasion))
    return tuple(measure_robustness(moderator, *test) for test in tests)


def column_groups(annotated: Annotated, columns: Sequence[str]) -> dict[str, NDArray[np.bool_]]:
    """Returns the groups that columns name: a column of group names, or of yes and no or shares, of which half is yes.

    Of several columns, a group is called by its column as well: two columns may hold the same names.

    Raises:
        InputError: There is no such column.
    """
    found: dict[str, NDArray[np.bool_]] = {}
    for column in columns:
        if column not in annotated.columns:
            near = suggest(column, annotated.columns)
            raise InputError(
                f"'{annotated.source}' has no column '{column}'.{near} Columns of posts and labels name no groups."
            )
        values = annotated.columns[column]
        cells = Shares(annotated.source)
        shares = np.array([cells.read(value, column, "") for value in values])
        if not cells.wrong:
            found[column] = shares >= 0.5  # noqa: PLR2004 - half of the annotators, as Borkan et al. 2019
            continue
        names = [set(names_in(value)) for value in values]
        for name in sorted(set().union(*names)):
            group = name if len(columns) == 1 else f"{column}={name}"
            found[group] = np.array([name in own for own in names])
    return found


def write_audit(found: Audit, folder: Path) -> Path:
    """Writes `audit.json`."""
    save_json(folder / AUDIT, plain(found))
    return folder / AUDIT


def _warnings(groups: Mapping[str, BiasAudit]) -> list[str]:
    found = []
    for source, bias in groups.items():
        found += [f"{source}: {warning}" for warning in bias.warnings]
        if any(name in (DIALECT_GROUP, RECLAIMED_GROUP) for name in bias.groups):
            found.append(
                f"{source}: posts with dialect words or reclaimed terms were found by word lists. Whether such a word "
                "hurts depends on who says it to whom, which no score shows: let people who know review those flags."
            )
    return found
