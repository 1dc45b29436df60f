"""`crossguard perspective`: what helps people to leave Perspective with their thresholds."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from crossguard.checked_settings import parse, read_yaml
from crossguard.cli.options import FILE, model_option, new_policy_options, policy_name
from crossguard.cli.progress import Bar
from crossguard.cli.table import console, plain
from crossguard.cli.telling import tell
from crossguard.data.cells import Shares
from crossguard.data.columns import OwnColumns
from crossguard.data.tables import read_whole
from crossguard.decision.policy_file import PolicyFile, is_policy_file
from crossguard.errors import InputError, needs_extra, number_of
from crossguard.preparation import OTHER_LANGUAGE
from crossguard.records import Decision, Post
from crossguard.saving import refuse_existing

if TYPE_CHECKING:
    import numpy as np

    from crossguard.decision.calibration import MonotoneMap
    from crossguard.evaluation.score_maps import FittedMap
    from crossguard.moderator import Moderator

    Floats = np.ndarray[tuple[int], np.dtype[np.float64]]
    Groups = np.ndarray[tuple[int], np.dtype[np.int64]] | None
    Pairs = dict[str, tuple[Floats, Floats, Groups]]

OURS = "CROSSGUARD_"
THEIRS = "PERSPECTIVE_"
EXPERIMENTAL = "_EXPERIMENTAL"
SHOWN = (0.5, 0.7, 0.8, 0.9)


@click.group("perspective")
def command() -> None:
    """Move from Google's Perspective API, which ends on 31 December 2026."""


@command.command("map", short_help="Fit a map from this model's scores to Perspective's.")
@click.argument("pairs", type=FILE)
@model_option
@click.option(
    "--policy", default="default", show_default=True, help="The bundle's policy, or the policy file, to add to."
)
@new_policy_options("perspective-policy.yaml")
def map_command(
    *, pairs: Path, model: str, policy: str, name: str | None, version: str, out: Path, overwrite: bool
) -> None:
    """Fit a map from this model's scores to Perspective's, to start from old thresholds.

    A mapped score is what Perspective gave such comments on average. Where the two scorers differ much, fewer comments
    reach a high threshold than did: the command says how many, and which threshold keeps their number.

    PAIRS is a CSV file with a column of Perspective's scores for each attribute (TOXICITY, INSULT, ...), and a column
    `text`, which is scored here; columns such as crossguard_TOXICITY, with scores of this model, save that. The maps
    become part of a policy file and change the answers of /v1alpha1/ only.

    \b
    crossguard perspective map both.csv -o perspective-policy.yaml
    crossguard serve --policy perspective-policy.yaml
    """
    with needs_extra("crossguard perspective map", "evaluate,serve"):
        from crossguard.evaluation.calibration.policy import usage, write_policy
        from crossguard.evaluation.score_maps import fit_map
        from crossguard.serving.interfaces.perspective.attributes import known_attributes
    from crossguard.loading import load

    refuse_existing(out, overwrite=overwrite, inputs=(pairs,))
    moderator = load(model, policy=policy)
    file = _policy_file(policy, name or policy_name(out), version)  # before all is scored
    found = read_pairs(pairs, known_attributes(moderator), moderator)
    fitted = _fitted(found, fit_map)
    maps = {attribute: found.map for attribute, found in fitted.items()}
    write_policy(file.model_copy(update={"perspective": {**file.perspective, **maps}}), out, model, "serve")
    _print(fitted)
    for attribute, one in fitted.items():
        for caution in (*_cautions(attribute, one.map, *found[attribute][:2]), *_changes(attribute, one)):
            tell(caution)
    if kept := [attribute for attribute in file.perspective if attribute not in maps]:
        tell(f"Kept from {policy}, as no column here gives new ones: the maps of {', '.join(kept)}.")
    tell(f"Written to {out}. Use it with: {usage(out, model, 'serve')}")


def _fitted(pairs: Pairs, fit_map: Callable[[Floats, Floats, Groups], FittedMap]) -> dict[str, FittedMap]:
    """Returns the map of each attribute; one that gets none costs no other its own, and is told.

    Raises:
        InputError: There is no map at all.
    """
    maps: dict[str, FittedMap] = {}
    problems = []
    for attribute, scores in pairs.items():
        try:
            maps[attribute] = fit_map(*scores)
        except InputError as error:
            problems.append(f"{attribute} gets no map. {error}")
    if not maps:
        raise InputError(" ".join(problems))
    for problem in problems:
        tell(problem)
    return maps


def read_pairs(path: Path, known: Sequence[str], moderator: Moderator) -> Pairs:
    """Returns our scores and Perspective's by attribute, and numbers that comments with the same words share.

    A row where a score is empty is left out. The numbers are None where the file has no column of texts.

    Raises:
        InputError: The file cannot be read, has no attribute that the model knows or two columns for one, or a cell is
            no score.
    """
    import numpy as np

    from crossguard.evaluation.leakage import duplicate_groups

    rows = read_whole(path)
    if not rows:
        raise InputError(f"{path} has no rows, and a map is fitted to posts with both scores.")
    header = list(rows[0])
    theirs = _by_attribute((name for name in header if not name.upper().startswith(OURS)), THEIRS, known, path)
    ours = _by_attribute((name for name in header if name.upper().startswith(OURS)), OURS, known, path)
    attributes = [name for name in known if name in theirs]
    if not attributes:
        raise InputError(
            f"{path} has no column for an attribute of this model. Its columns: {', '.join(header)[:300]}. Known "
            f"attributes: {', '.join(known)}."
        )
    for note in _unused({name: column for name, column in theirs.items() if name not in known}, known, path):
        tell(note)
    lacking = [name for name in attributes if name not in ours]
    posts = _posts(path, rows, lacking)
    groups = None if posts is None else duplicate_groups(posts)
    scored = _our_scores(posts or [], lacking, moderator)
    pairs: Pairs = {}
    for name in attributes:
        old = _column(rows, theirs[name], path)
        new = scored[name] if name in scored else _column(rows, ours[name], path)
        both = ~np.isnan(old + new)
        pairs[name] = (new[both], old[both], None if groups is None else groups[both])
    return pairs


def _by_attribute(columns: Iterable[str], prefix: str, known: Sequence[str], path: Path) -> dict[str, str]:
    """Returns the column of each attribute, whatever version of Google's it names; of others, the last of a name."""
    from crossguard.serving.interfaces.perspective.attributes import GOOGLE_VERSION

    found: dict[str, str] = {}
    for column in columns:
        name = re.sub(f"@{GOOGLE_VERSION.pattern}$", "", column.upper().removeprefix(prefix))
        if name in found and name in known:
            raise InputError(
                f"{path} has two columns for {name}: '{found[name]}' and '{column}'. Remove or rename the one that is "
                "not to be used."
            )
        found[name] = column
    return found


def _unused(columns: Mapping[str, str], known: Sequence[str], path: Path) -> Iterator[str]:
    """Says of each column that looks like an attribute of Perspective why it gets no map."""
    from crossguard.serving.interfaces.perspective.attributes import NEIGHBOURS, estimate_of

    others = set(OwnColumns().match(columns.values(), str(path)).values())
    for name, column in columns.items():
        named = name.removesuffix(EXPERIMENTAL) in NEIGHBOURS or column.upper().startswith(THEIRS)
        if not named and (column in others or not column.isupper()):
            continue
        near = estimate_of(name, tuple(known))
        estimates = f"estimates it from {near}, with the map of {near} if there is one"
        does = estimates if near else "leaves it out of its answers"
        yield f"Column '{column}' is not used: the model has no attribute {name}. The service {does}."


def _column(rows: Sequence[Mapping[str, Any]], column: str, path: Path) -> Floats:
    import numpy as np

    shares = Shares(path)
    scores = np.array([shares.read(row[column], column, f"Row {line}") for line, row in enumerate(rows, 2)])
    shares.check()
    return scores


def _posts(path: Path, rows: Sequence[Mapping[str, Any]], to_score: Sequence[str]) -> list[Post] | None:
    """Returns the comments; None where there is no column of them, and no attribute that needs one."""
    text = OwnColumns().match(rows[0], str(path)).get("text")
    if text is None and to_score:
        raise InputError(
            f"{path} has neither a column of texts, such as 'text', nor one of our scores "
            f"({OURS.lower()}{to_score[0]})."
        )
    return None if text is None else [Post(str(line), str(row[text] or "")) for line, row in enumerate(rows, 2)]


def _our_scores(posts: Sequence[Post], attributes: Sequence[str], moderator: Moderator) -> dict[str, Floats]:
    import numpy as np

    from crossguard.serving.interfaces.perspective.attributes import attribute_score

    if not attributes:
        return {}
    scores = []
    others = 0
    with Bar(posts="scoring") as bar:
        for count, found in enumerate(moderator.stream(posts), start=1):
            others += OTHER_LANGUAGE in found.notes
            scores.append([attribute_score(found, name) if _is_answered(found) else np.nan for name in attributes])
            bar.move(count, len(posts), f"{count:,} posts")
    if others:
        tell(
            f"Left out: {number_of(others, 'comment')} in a language that the model does not support. The service "
            "refuses such comments unless a request names a language that it supports."
        )
    return dict(zip(attributes, np.array(scores).T, strict=True))


def _is_answered(decision: Decision) -> bool:
    """Whether the service gives scores for a comment: the others say nothing of the scores that clients will get."""
    return decision.ok and OTHER_LANGUAGE not in decision.notes


def _policy_file(base: str, name: str, version: str) -> PolicyFile:
    """Returns the policy file that was given, or an empty one over a policy of the bundle, under another name."""
    content: dict[str, Any] = read_yaml(Path(base)) if is_policy_file(base) else {"base": base}
    return parse(PolicyFile, content | {"name": name, "version": version}, f"Policy '{base}'")


def _cautions(attribute: str, fitted: MonotoneMap, new: Floats, old: Floats) -> Iterator[str]:
    """Says where a map cannot do what it is for."""
    import numpy as np

    if np.cov(new, old)[0, 1] <= 0:
        yield (
            f"{attribute}: Perspective's scores do not rise with this model's, so the map says nothing. Are the "
            "columns the right ones, and each score beside its own comment?"
        )
    if passed := [threshold for threshold in SHOWN if threshold <= fitted.y[0]]:
        yield (
            f"{attribute}: mapped scores are never below {fitted.y[0]:g}, so every comment reaches old thresholds of "
            f"{' and '.join(map(str, passed))}: add comments with low Perspective scores, as ordinary ones have "
            f"({(old < passed[0]).sum()} of the {len(old)} pairs are below {passed[0]})."
        )
    if lost := [threshold for threshold in SHOWN if threshold > fitted.y[-1]]:
        yield (
            f"{attribute}: mapped scores reach {fitted.y[-1]:g} at most, so old thresholds of "
            f"{' and '.join(map(str, lost))} are never reached: choose lower ones, or add comments that Perspective "
            f"scored so high ({(old >= lost[0]).sum()} of the {len(old)} pairs reach {lost[0]})."
        )


def _changes(attribute: str, fitted: FittedMap) -> Iterator[str]:
    """Says which old thresholds another number of comments reaches, and which mapped scores as many do."""
    from crossguard.evaluation.score_maps import reached

    moved = {}
    for threshold in SHOWN:
        found = reached(fitted, threshold)
        if not found.by_chance and found.as_many is not None and fitted.map.y[0] < threshold:
            # Rounded up, many equal scores would all stay below it
            moved[threshold] = math.floor(found.as_many * 100) / 100
    if moved:
        yield (
            f"{attribute}: as many comments as reach {' and '.join(map(str, moved))} in Perspective reach "
            f"{' and '.join(f'{found:.2f}' for found in moved.values())} by mapped scores: use that as the threshold "
            "where as many should be held back as before."
        )


def _print(maps: Mapping[str, FittedMap]) -> None:
    from crossguard.evaluation.score_maps import reached

    table = plain(("attribute", "pairs", "error", "95 %", *(f"old {old}" for old in SHOWN)))
    numbers = plain(("attribute", *(f"reach {old}" for old in SHOWN)))
    for attribute, one in maps.items():
        low, high = one.map.error_interval or (0.0, 0.0)
        same = [_same_here(one.map, threshold) for threshold in SHOWN]
        table.add_row(attribute, str(one.map.pairs), f"{one.map.error or 0:.3f}", f"{low:.3f}-{high:.3f}", *same)
        found = (reached(one, threshold) for threshold in SHOWN)
        numbers.add_row(attribute, *(f"{of.theirs:,} > {of.here:,} ({of.both:,})" for of in found))
    terminal = console()
    terminal.print(table)
    terminal.print(numbers)
    terminal.print("Comments that reach a threshold: in Perspective > here (both), by maps that they had no part in.")


def _same_here(fitted: MonotoneMap, threshold: float) -> str:
    """Returns what a score of this model must be to count as an old threshold, or that all or no mapped scores do."""
    import numpy as np

    if threshold <= fitted.y[0]:
        return "all"
    return f"{np.interp(threshold, fitted.y, fitted.x):.2f}" if threshold <= fitted.y[-1] else "none"
