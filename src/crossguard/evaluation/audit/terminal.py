"""An audit as tables for a terminal."""

from __future__ import annotations

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from crossguard.data.masking import mask
from crossguard.evaluation.audit.bias import AUCS, BiasAudit
from crossguard.evaluation.audit.counterfactuals import Counterfactuals
from crossguard.evaluation.audit.robustness import Robustness
from crossguard.evaluation.audit.running import Audit
from crossguard.evaluation.audit.suites import Cell, SuiteResult
from crossguard.evaluation.terminal import cell

_LOW, _FAIR = 0.5, 0.75
_TITLES = {
    "subgroup_auc": "subgroup\nAUC",
    "bpsn_auc": "BPSN\nAUC",
    "bnsp_auc": "BNSP\nAUC",
    "false_positive_rate": "false\nalarms",
    "false_positive_gap": "gap to\nothers",
    "false_negative_rate": "missed",
}


def show_audit(audit: Audit, console: Console) -> None:
    """Prints everything that was found, warnings last, where the eye ends."""
    console.print(f"[bold]{audit.model}[/], policy {audit.policy}", highlight=False)
    for source, bias in audit.groups.items():
        console.print(bias_table(source, bias))
    for result in audit.counterfactuals:
        console.print(swap_table(result))
    for suite in audit.suites:
        console.print(suite_table(suite))
    for tested in audit.robustness:
        console.print(evasion_table(tested))
        for line in evasion_summary(tested):
            console.print(line, highlight=False)
    for warning in audit.warnings:
        console.print(f"Note: {warning}", style="yellow", highlight=False)


def bias_table(source: str, bias: BiasAudit) -> Table:
    """One row per group, the lowest BPSN AUC (harmless posts that score too high) first."""
    table = _table(f"{source}: groups, question '{bias.question}'")
    table.caption = (
        f"all posts: ROC-AUC {bias.overall_auc.short}; final bias AUC {bias.final.short} (Borkan et al. 2019)"
    )
    table.add_column("group", no_wrap=True)
    for title in ("posts", "hateful", *_TITLES.values()):
        table.add_column(title, justify="right", no_wrap=True)
    groups = sorted(bias.groups.values(), key=lambda group: group.figures["bpsn_auc"].value or 2.0)
    for group in groups:
        cells = [cell(group.figures[key]) for key in _TITLES]
        table.add_row(group.group, f"{group.posts:,}", f"{group.positive:,}", *cells)
    means = [cell(bias.means[key]) for key in AUCS]
    table.add_row("generalised mean", "", "", *means, "", "", "")
    return table


def swap_table(result: Counterfactuals) -> Table:
    """One row per group, the one that scores highest first."""
    table = _table(
        f"{result.sentences} sentences with another identity each ({result.source}): spread {result.mean_spread:.3f} "
        f"on average, {result.worst_spread:.3f} at worst; {result.flips:.1%} change their flag"
    )
    table.add_column("group", no_wrap=True)
    for title in ("shift", "worst", "flagged"):
        table.add_column(title, justify="right", no_wrap=True)
    table.add_column("worst sentence", overflow="ellipsis", no_wrap=True)
    for group in result.groups:
        sentence = group.sentence if result.harmless else mask(group.sentence)
        table.add_row(group.group, f"{group.shift:+.3f}", f"{group.worst:+.3f}", f"{group.flagged:.1%}", sentence)
    return table


def suite_table(result: SuiteResult) -> Table:
    """Functionalities by targets: accuracy per cell, in percent."""
    figures = result.evaluation.per_label["any"]
    table = _table(
        f"{result.name}: balanced accuracy {figures['balanced_accuracy']}, ROC-AUC {figures['roc_auc']}; accuracy in %"
    )
    targets = sorted(result.targets)
    table.add_column("functionality", no_wrap=True)
    for title in ("is", "all", *(target.replace(" ", "\n") for target in targets)):
        table.add_column(title, justify="right", no_wrap=True)
    for function, whole in result.functions.items():
        answer = "hate" if result.hateful[function] else "not"
        cells = [_percent(result.cells.get((function, target))) for target in targets]
        table.add_row(function, answer, _percent(whole), *cells)
    table.add_row("all", "", "", *(_percent(result.targets[target]) for target in targets))
    return table


def evasion_table(result: Robustness) -> Table:
    """One row per way of disguising a text, the one that most gets through first."""
    table = _table(
        f"{result.source}: {result.found} of {result.hateful} hateful posts are found as written, and "
        f"{result.harmless_flagged} of {result.harmless} harmless ones flagged; in disguise:"
    )
    table.add_column("way", no_wrap=True)
    for title in ("still\nfound", "95 %\ninterval", "harmless\nnewly flagged", "no longer\nflagged", "held\nout"):
        table.add_column(title, justify="right", no_wrap=True)
    for name, way in sorted(result.ways.items(), key=lambda item: item[1].kept.value or 0.0):
        wrong = (str(way.newly_flagged), str(way.no_longer_flagged))
        table.add_row(name, way.kept.short, way.kept.interval, *wrong, "yes" if way.evasion.held_out else "")
    return table


def evasion_summary(result: Robustness) -> list[str]:
    """The averages over all ways, one per line."""
    change = result.harmless_change
    points = "undefined" if change.value is None else f"{100 * change.value:+.1f} points"
    interval = (
        "" if change.low is None or change.high is None else f" [{100 * change.low:+.1f}, {100 * change.high:+.1f}]"
    )
    return [
        f"still found, mean over {len(result.ways)} ways: {result.mean}",
        f"still found, worst tenth of the ways: {result.worst_tenth}",
        f"still found, ways held out from training: {result.held_out}",
        f"harmless posts flagged, mean change: {points}{interval}",
    ]


def _percent(found: Cell | None) -> Text:
    if found is None:
        return Text("")
    style = "red" if found.accuracy < _LOW else "yellow" if found.accuracy < _FAIR else ""
    return Text(f"{100 * found.accuracy:.0f}", style=style)


def _table(title: str) -> Table:
    return Table(box=box.SIMPLE, padding=0, pad_edge=False, title=title, title_justify="left", caption_justify="left")
