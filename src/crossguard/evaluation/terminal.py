"""Results as tables for a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from rich import box
from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from crossguard.evaluation.figures import Figure, reasons
from crossguard.evaluation.results import Evaluation
from crossguard.evaluation.runs import Run
from crossguard.evaluation.titles import brief

SHOWN = ("precision", "recall", "f1", "roc_auc", "average_precision", "ece")
# Columns a terminal needs for all of SHOWN.
WIDE = 88
COMPARED = ("f1_macro", "f1_micro", "roc_auc_macro", "ece_macro", "any/roc_auc")


def show_run(run: Run, console: Console) -> None:
    """Prints a run: warnings first, then figures per label, then variants and baselines."""
    facts, speed = run.facts, "" if run.throughput is None else f", {run.throughput:,.0f} posts/s"
    console.print(f"[bold]{facts.name}[/] {facts.model_version} on {facts.data}: {run.main.posts:,} posts{speed}")
    console.print(f"thresholds and calibration: {facts.thresholds_from}", style="dim", highlight=False)
    for warning in run.warnings:
        loud = warning.startswith("FITTED")
        console.print(f"{'WARNING: ' if loud else 'Note: '}{warning}", style="bold white on red" if loud else "yellow")
    shown = SHOWN if console.width >= WIDE else tuple(key for key in SHOWN if key != "average_precision")
    console.print(labels_table(run.main, facts.thresholds, shown))
    if run.variants:
        console.print(comparison_table({facts.name: run.main, **run.variants}, "The same posts, seen otherwise"))


def labels_table(
    evaluation: Evaluation, thresholds: Mapping[str, float], shown: Sequence[str] = SHOWN
) -> RenderableType:
    """One row per label, then averages; intervals below the numbers, reasons below the table."""
    table = Table(box=box.SIMPLE, pad_edge=False, padding=0, caption="95 % bootstrap intervals", caption_justify="left")
    table.add_column("label", no_wrap=True)
    for title in ("flag\nfrom", "positive", *(brief(key) for key in shown)):
        table.add_column(title, justify="right", no_wrap=True)
    last = list(evaluation.per_label)[-1]
    for label, figures in evaluation.per_label.items():
        limit = f"{thresholds[label]:.3f}" if label in thresholds else ""
        count = evaluation.counts[label]
        positive = Text(f"{count.positive:,}\n").append(f"of {count.annotated:,}", style="dim")
        cells = [cell(figures[key]) if key in figures else Text("") for key in shown]
        table.add_row(label, limit, positive, *cells, end_section=label == last)
    for average in ("macro", "micro", "weighted"):
        cells = [cell(evaluation.overall.get(f"{key}_{average}")) for key in shown]
        table.add_row(average, "", "", *cells)
    return Group(table, *_explain(evaluation))


def comparison_table(evaluations: Mapping[str, Evaluation], title: str, keys: Sequence[str] = COMPARED) -> Table:
    """One row per evaluation, one column per average."""
    table = Table(box=box.SIMPLE, pad_edge=False, title=title, title_justify="left")
    table.add_column("", max_width=34)
    for key in keys:
        table.add_column(brief(key), justify="right", no_wrap=True)
    for name, evaluation in evaluations.items():
        table.add_row(name, *(cell(evaluation.figure(key)) for key in keys))
    return table


def cell(figure: Figure | None) -> Text:
    """A number above its interval."""
    if figure is None:
        return Text("")
    if figure.value is None:
        return Text("undefined", style="yellow")
    low_high = (
        "" if figure.low is None or figure.high is None else f"\n{_brief(figure.low)}\N{EN DASH}{_brief(figure.high)}"
    )
    return Text(figure.short).append(low_high, style="dim")


def _brief(value: float) -> str:
    return f"{value:.3f}".replace("0.", ".", 1) if abs(value) < 1 else f"{value:.2f}"


def _explain(evaluation: Evaluation) -> Iterable[Text]:
    """One line per reason, naming the labels and the figures that lack a number because of it."""
    why: dict[tuple[str, str], list[str]] = {}
    for label in evaluation.labels:
        by_reason: dict[str, list[str]] = {}
        for name, reason in reasons(evaluation.per_label[label].items()).items():
            by_reason.setdefault(reason, []).append(name)
        for reason, names in by_reason.items():
            why.setdefault((reason, ", ".join(names)), []).append(label)
    for (reason, lacking), labels in why.items():
        yield Text(f"undefined for {', '.join(labels)}: {reason} ({lacking})", style="yellow")
