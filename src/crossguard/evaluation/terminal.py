"""Results as tables for a terminal. No number or name is ever cut off: columns that do not fit are printed below."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from rich import box
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from crossguard.data.masking import visible, visible_lines
from crossguard.evaluation.estimates import Estimate
from crossguard.evaluation.results import Evaluation
from crossguard.evaluation.runs import Facts, Run
from crossguard.evaluation.titles import ANY_KEYS, SHOWN, brief

COMPARED = ("f1_macro", "f1_micro", "roc_auc_macro", "ece_macro", "any/roc_auc")
INTERVALS = "95 % bootstrap intervals"
# Names longer than this share of the width are folded.
_NAMES = 0.5


@dataclass(slots=True)
class Grid:
    """A table whose columns are printed in as many parts as the terminal needs, each beside the names of the rows."""

    title: str
    columns: tuple[str, ...]  # titles of the columns; the first one holds the names of the rows
    caption: str = ""
    _rows: list[tuple[tuple[Text, ...], bool]] = field(default_factory=list, init=False)

    def row(self, *cells: str | Text, last: bool = False) -> None:
        """Adds a row, one cell per column; `last` draws a line below it."""
        texts = tuple(Text(visible_lines(cell)) if isinstance(cell, str) else cell for cell in cells)
        self._rows.append((texts, last))

    def show(self, console: Console) -> None:
        """Prints the table; on one line per row where no terminal limits it."""
        limit = console.width if console.is_terminal else max(console.width, self._width(range(len(self.columns))))
        if self.title:
            console.print(Text(visible(self.title)), soft_wrap=not console.is_terminal)
        # A pipe has no width of its own; rich would take 80 columns.
        before, console.width = console.width, limit
        for part in self._parts(limit):
            console.print(self._table(part, int(limit * _NAMES) if console.is_terminal else limit))
        console.width = before
        if self.caption:
            console.print(Text(self.caption, style="dim"), soft_wrap=not console.is_terminal)

    def _table(self, part: list[int], names: int) -> Table:
        table = Table(box=box.SIMPLE, pad_edge=False, padding=0)
        for column in part:
            if column == 0:
                table.add_column(Text(self.columns[0]), overflow="fold", max_width=names)
            else:
                table.add_column(Text(visible_lines(self.columns[column])), justify="right", overflow="fold")
        for cells, last in self._rows:
            table.add_row(*(cells[column] for column in part), end_section=last)
        return table

    def _parts(self, limit: int) -> list[list[int]]:
        parts = [[0]]
        for column in range(1, len(self.columns)):
            if len(parts[-1]) > 1 and self._width([*parts[-1], column]) > limit:
                parts.append([0])
            parts[-1].append(column)
        return parts

    def _width(self, part: Iterable[int]) -> int:
        widths = [self._column(column) for column in part]
        return sum(widths) + len(widths) + 1

    def _column(self, column: int) -> int:
        texts = [self.columns[column], *(cells[column].plain for cells, _ in self._rows)]
        return max(cell_len(line) for text in texts for line in text.split("\n"))


def show_run(run: Run, console: Console) -> None:
    """Prints a run: warnings first, then metrics per label, then variants and baselines."""
    facts, speed = run.facts, "" if run.throughput is None else f", {run.throughput:,.0f} posts/s"
    measured = visible(f"{facts.model_version} on {facts.data}: {run.main.posts:,} posts{speed}")
    console.print(Text.assemble((visible(facts.name), "bold"), f" {measured}"))
    show_line(f"thresholds and calibration: {facts.thresholds_from}", console, "dim")
    for warning in run.warnings:
        loud = warning.startswith("FITTED")
        show_line(f"{'WARNING: ' if loud else 'Note: '}{warning}", console, "bold white on red" if loud else "yellow")
    labels_grid(run.main, facts).show(console)
    for line in run.main.undefined():
        console.print(Text(f"undefined for {line}", style="yellow"))
    if run.variants:
        comparison_grid({facts.name: run.main, **run.variants}).show(console)


def show_line(line: str, console: Console, style: str = "") -> None:
    """Prints a line as it is: names in it are no markup, and steer no terminal."""
    console.print(Text(visible(line), style=style))


def labels_grid(evaluation: Evaluation, facts: Facts) -> Grid:
    """One row per label, then averages; intervals below the numbers."""
    keys = evaluation.measured(SHOWN)
    grid = Grid(
        "", ("label", "flag\nfrom", "positive", *(brief(key) for key in keys)), INTERVALS if facts.rounds else ""
    )
    last = list(evaluation.per_label)[-1]
    for label, estimates in evaluation.per_label.items():
        limit = f"{facts.thresholds[label]:.3f}" if label in facts.thresholds else ""
        count = evaluation.counts[label]
        positive = Text(f"{count.positive:,}\n").append(f"of {count.annotated:,}", style="dim")
        grid.row(label, limit, positive, *(cell(estimates.get(key)) for key in keys), last=label == last)
    for average in evaluation.averages(keys):
        grid.row(average, "", "", *(cell(evaluation.overall.get(f"{key}_{average}")) for key in keys))
    return grid


def comparison_grid(evaluations: Mapping[str, Evaluation]) -> Grid:
    """One row per evaluation, one column per average; without labels, per metric of whether a post is hateful."""
    keys = COMPARED if any(evaluation.labels for evaluation in evaluations.values()) else ANY_KEYS
    grid = Grid("The same posts, other inputs and baselines", ("", *(brief(key) for key in keys)))
    for name, evaluation in evaluations.items():
        grid.row(name, *(cell(evaluation.estimate(key)) for key in keys))
    return grid


def cell(estimate: Estimate | None) -> Text:
    """A number above its interval."""
    if estimate is None:
        return Text("")
    if estimate.value is None:
        return Text("undefined", style="yellow")
    low, high = estimate.low, estimate.high
    interval = "" if low is None or high is None else f"\n{_brief(low)}\N{EN DASH}{_brief(high)}"
    return Text(estimate.short).append(interval, style="dim")


def _brief(value: float) -> str:
    return f"{value:.3f}".replace("0.", ".", 1) if abs(value) < 1 else f"{value:.2f}"
