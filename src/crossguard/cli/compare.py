"""`crossguard compare`: several runs or models side by side."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from crossguard.cli.options import PATH, out_option, overwrite_option, refuse_idle, resampling_options
from crossguard.cli.telling import tell
from crossguard.errors import ConfigError, needs_extra
from crossguard.evaluation.titles import KEYS
from crossguard.saving import refuse_existing, save_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from crossguard.evaluation.comparison import Compared
    from crossguard.evaluation.runs import Run
    from crossguard.evaluation.terminal import Grid


@click.command("compare")
@click.argument("entries", nargs=-1, required=True)
@click.option("--data", type=PATH, help="Annotated posts, to measure models that have no run yet.")
@click.option("--policy", default="default", show_default=True, help="Policy of those models.")
@click.option("--split", help="Only rows of DATA whose column 'split' has this value.")
@click.option("--metric", "metrics", multiple=True, help=f"Averages to show; {', '.join(KEYS)} by default.")
@resampling_options(1000, least=1)
@out_option(type=PATH, help="Write the table to this .md or .html file.")
@overwrite_option
def command(
    *,
    entries: tuple[str, ...],
    data: Path | None,
    policy: str,
    split: str | None,
    metrics: tuple[str, ...],
    rounds: int,
    seed: int,
    out: Path | None,
    overwrite: bool,
) -> None:
    """Compare ENTRIES: folders of runs, test_metrics.json files, or (with --data) models. The first is the reference.

    \b
    crossguard compare runs/clip runs/siglip runs/compact
    crossguard compare compact ./my-model --data test.parquet --out table.md
    """
    with needs_extra("Comparing", "evaluate"):
        from crossguard.evaluation.comparison import compare, notes, shown_keys, to_markdown
        from crossguard.evaluation.report.pages import comparison_page
        from crossguard.evaluation.terminal import show_line
    from crossguard.cli.table import terminal

    if out is not None:
        if out.suffix not in {".md", ".html"}:
            raise ConfigError(f"--out must end in .md or .html, and is '{out}'.")
        refuse_existing(out, overwrite=overwrite)
    if all(_is_run(Path(name)) for name in entries):
        refuse_idle(("data", "policy", "split"), "beside runs: they were measured before")
    runs = [_entry(name, data, policy, split, (rounds, seed)) for name in entries]
    keys = metrics or shown_keys(runs)
    folders = [Path(name).name for name in entries]
    rows = compare(runs, rounds, seed, keys, folders if len({*folders}) == len(folders) else entries)
    if out is not None:  # before anything is shown: who reads it in `| head` goes away early
        save_text(out, to_markdown(rows, keys) if out.suffix == ".md" else comparison_page(rows, keys))
    console = terminal()
    _grid(rows, keys).show(console)
    for note in notes(rows):
        show_line(f"Note: {note}", console, "yellow")
    if out is not None:
        tell(f"Wrote {out}")


def _is_run(path: Path) -> bool:
    from crossguard.evaluation.runs import RUN

    return path.suffix == ".json" or (path / RUN).is_file()


def _entry(name: str, data: Path | None, policy: str, split: str | None, resampling: tuple[int, int]) -> Run | Compared:
    from crossguard.evaluation.annotated import read_annotated
    from crossguard.evaluation.comparison import read_entry
    from crossguard.evaluation.measuring import EvaluationRequest, measure_model
    from crossguard.loading import load

    path = Path(name)
    if data is None or _is_run(path):
        return read_entry(path)
    moderator = load(name, policy=policy)
    annotated = read_annotated(data, moderator.labels.names, split=split)
    return measure_model(
        moderator, annotated, EvaluationRequest(rounds=resampling[0], seed=resampling[1], split=split)
    )[0]


def _grid(rows: Sequence[Compared], keys: Sequence[str]) -> Grid:
    from rich.text import Text

    from crossguard.evaluation.comparison import chance_of, winners
    from crossguard.evaluation.terminal import INTERVALS, Grid, cell
    from crossguard.evaluation.titles import brief

    grid = Grid(
        "",
        ("model", *(brief(key) for key in keys), "posts/s"),
        f"{INTERVALS}; third line: difference to the first row and p of a paired bootstrap test",
    )
    best = winners(rows, keys)
    for row in rows:
        cells = []
        for key in keys:
            text, estimate = cell(row.estimates.get(key)), row.estimates.get(key)
            if estimate is not None and estimate.value is not None and estimate.value == best[key]:
                text.stylize("bold", 0, len(estimate.short))
            difference = row.differences.get(key)
            if difference is not None and difference.value.value is not None:
                chance = chance_of(difference)
                last = f"\n{chance}" if difference.p is None else f" {chance.replace(' ', '')}"
                text.append(f"\n{difference.value.value:+.3f}{last}", style="cyan")
            cells.append(text)
        speed = Text("" if row.throughput is None else f"{row.throughput:,.0f}")
        grid.row(row.name, *cells, speed)
    return grid
