"""An audit as tables for a terminal."""

from __future__ import annotations

import math

from rich.console import Console
from rich.text import Text

from crossguard.data.masking import excerpt, mask
from crossguard.evaluation.audit.bias import AUCS, BiasAudit, GroupAudit
from crossguard.evaluation.audit.counterfactuals import Counterfactuals
from crossguard.evaluation.audit.robustness import Robustness
from crossguard.evaluation.audit.running import Audit
from crossguard.evaluation.audit.suites import Cell, SuiteResult
from crossguard.evaluation.sample import ANY
from crossguard.evaluation.terminal import Grid, cell, show_line

_LOW, _FAIR = 0.5, 0.75
_SENTENCE = 60
_TITLES = {
    "subgroup_auc": "subgroup\nAUC",
    "bpsn_auc": "BPSN\nAUC",
    "bnsp_auc": "BNSP\nAUC",
    "false_positive_rate": "harmless\nflagged",
    "false_positive_gap": "gap to\nothers",
    "false_negative_rate": "hateful\nmissed",
}


def show_audit(audit: Audit, console: Console) -> None:
    """Prints everything that was found, warnings last, where the eye ends."""
    console.print(Text.assemble((audit.model, "bold"), f", policy {audit.policy}"))
    for source, bias in audit.groups.items():
        bias_grid(source, bias).show(console)
    for result in audit.counterfactuals:
        swap_grid(result).show(console)
    for suite in audit.suites:
        suite_grid(suite).show(console)
    for tested in audit.robustness:
        evasion_grid(tested).show(console)
        for line in evasion_summary(tested):
            console.print(line, highlight=False)
    for warning in audit.warnings:
        show_line(f"Note: {warning}", console, "yellow")


def bias_grid(source: str, bias: BiasAudit) -> Grid:
    """One row per group, the lowest BPSN AUC (harmless posts that score too high) first."""
    grid = Grid(
        f"{source}: groups, question '{bias.question}'",
        ("group", "posts", "hateful", *_TITLES.values()),
        f"all posts: ROC-AUC {bias.overall_auc.short}; final bias AUC {bias.final_bias_auc.short} (Borkan et al. 2019)",
    )
    for name, group in sorted(bias.groups.items(), key=_bpsn_auc):
        cells = [cell(group.estimates[key]) for key in _TITLES]
        grid.row(name, f"{group.posts:,}", f"{group.positive:,}", *cells)
    grid.row("generalised mean", "", "", *(cell(bias.generalised_means[key]) for key in AUCS), "", "", "")
    return grid


def swap_grid(result: Counterfactuals) -> Grid:
    """One row per group, the one that scores highest first."""
    grid = Grid(
        f"{result.sentences} sentences with another identity each ({result.source}), question '{result.question}': "
        f"spread {result.mean_spread:.3f} on average, {result.worst_spread:.3f} at worst; {result.flips:.1%} change "
        "their flag",
        ("group", "shift", "worst", "flagged", "worst sentence"),
    )
    for group in result.groups:
        sentence = excerpt(group.sentence if result.harmless else mask(group.sentence), _SENTENCE)
        grid.row(group.group, f"{group.shift:+.3f}", f"{group.worst:+.3f}", f"{group.flagged:.1%}", sentence)
    return grid


def suite_grid(result: SuiteResult) -> Grid:
    """Functionalities by targets: accuracy per cell, in percent."""
    found, targets = result.evaluation.per_label[ANY], sorted(result.targets)
    grid = Grid(
        f"{result.name}, question '{ANY}': balanced accuracy {found['balanced_accuracy']}, "
        f"ROC-AUC {found['roc_auc']}; accuracy in %",
        ("functionality", "cases\nare", "all", *(target.replace(" ", "\n") for target in targets)),
    )
    for function, whole in result.functions.items():
        answer = "hateful" if result.hateful[function] else "harmless"
        cells = [_percent(result.cells.get((function, target))) for target in targets]
        grid.row(function, answer, _percent(whole), *cells)
    grid.row("all", "", "", *(_percent(result.targets[target]) for target in targets))
    return grid


def evasion_grid(result: Robustness) -> Grid:
    """One row per way of disguising a text, the one that most gets through first."""
    asked = "" if result.question == ANY else f", question '{result.question}'"
    grid = Grid(
        f"{result.source}{asked}: {result.found} of {result.hateful} hateful posts are found as written, and "
        f"{result.harmless_flagged} of {result.harmless} harmless ones flagged; in disguise:",
        ("way", "still\nfound", "95 %\ninterval", "harmless\nnewly flagged", "no longer\nflagged", "held\nout"),
    )
    for name, way in sorted(result.ways.items(), key=lambda item: item[1].kept.value or 0.0):
        wrong = (str(way.newly_flagged), str(way.no_longer_flagged))
        grid.row(name, way.kept.short, way.kept.interval, *wrong, "yes" if way.evasion.held_out else "")
    return grid


def evasion_summary(result: Robustness) -> list[str]:
    """The averages over all ways, one per line."""
    return [
        f"still found, mean over {len(result.ways)} ways: {result.mean}",
        f"still found, worst tenth of the ways: {result.worst_tenth}",
        f"still found, ways held out from training: {result.held_out}",
        f"harmless posts flagged, mean change: {result.harmless_change.points}",
    ]


def _bpsn_auc(item: tuple[str, GroupAudit]) -> float:
    """Returns what groups are ordered by; the undefined come last, and 0 is not one of them."""
    value = item[1].estimates["bpsn_auc"].value
    return math.inf if value is None else value


def _percent(found: Cell | None) -> Text:
    if found is None:
        return Text("")
    style = "red" if found.accuracy < _LOW else "yellow" if found.accuracy < _FAIR else ""
    return Text(f"{100 * found.accuracy:.0f}", style=style)
