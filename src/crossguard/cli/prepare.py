"""`crossguard prepare`: a public dataset's raw folder to one training table and a report."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from crossguard.cli.options import EXISTING, PATH, Number, out_option, overwrite_option, renamed
from crossguard.cli.telling import show, tell
from crossguard.data.datasets.registry import DATASETS, find
from crossguard.data.datasets.rows import Dataset
from crossguard.data.writing import refuse_same_file
from crossguard.saving import check_folder_takes, refuse_existing, save_json

if TYPE_CHECKING:
    from crossguard.data.datasets.preparing import DatasetReport

SHOWN = 5
_ADDRESS: Final = re.compile(r"[a-z][a-z0-9+]+:/", re.IGNORECASE)  # as a path, which lost a slash
_SUFFIXES: Final = (".parquet", ".pq")


def _known(_context: click.Context, _parameter: click.Parameter, name: str) -> str:
    """Checks the name before the folder is looked for."""
    return name if name == "table" else find(name).name


def _training_table(context: click.Context, parameter: click.Parameter, out: Path) -> Path:
    """Returns where the table goes, before hours of work for it: to this machine, under a name by which it is read."""
    if out.is_dir():
        told = f"'{out}' is a folder. Name a file in it: -o {out / context.params.get('dataset', 'table')}.parquet"
    elif _ADDRESS.match(str(out)):
        told = f"Tables are written to this machine, and can be copied to a storage then. Write: -o {out.name}"
    elif out.suffix.lower() not in _SUFFIXES:
        told = f"A training table is Parquet, and its name ends so. Write: -o {renamed(out, '.parquet')}"
    else:
        return out
    raise click.BadParameter(told, context, parameter)


@click.command("prepare", epilog=f"Public datasets: {', '.join(sorted(DATASETS))}.")
@click.argument("dataset", callback=_known)
@click.argument("raw", type=EXISTING)
@out_option(type=PATH, required=True, callback=_training_table, help="The Parquet table to write.")
@overwrite_option
@click.option(
    "--max-missing-images",
    type=Number(0, 1),
    default=0.02,
    show_default=True,
    help="Fraction of the images that may be missing or broken; posts without theirs keep their text alone.",
)
@click.option(
    "--label",
    "labels",
    multiple=True,
    metavar="COLUMN",
    help="Of `table`: a column that is a label; give it once for each. All other columns are then left out.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
def command(
    *,
    dataset: str,
    raw: Path,
    out: Path,
    overwrite: bool,
    max_missing_images: float,
    labels: tuple[str, ...],
    as_json: bool,
) -> None:
    """Turn the raw folder of DATASET into a table for `crossguard train`.

    DATASET is a public dataset (below), or `table` for a table of your own in any format of `crossguard score`, whose
    columns are id, text, image_text, image_path, split, and one column per label with numbers from 0 to 1, empty where
    unknown. If it has other columns too, say which are labels.

    \b
    crossguard prepare mmhs150k MMHS150K/ -o tables/mmhs150k.parquet
    crossguard prepare table posts.csv -o my.parquet --label racist --label sexist

    Labels are stored as the fraction of annotators who gave them; a recipe says what counts as positive.

    The report (splits, labels, missing and broken images, duplicates across splits) is printed, and written beside
    the table as NAME.report.json.
    """
    from crossguard.data.datasets.preparing import prepare

    refuse_same_file(raw, out, str(out.with_stem(f"{out.stem}-prepared")))
    if dataset == "table":
        _refuse_within(raw, out)
    summary = out.with_suffix(".report.json")
    for file in (out, summary):
        refuse_existing(file, overwrite=overwrite)
    check_folder_takes(out)
    chosen = _dataset(dataset, raw, labels)
    report = prepare(chosen, raw, out, max_missing_images)
    save_json(summary, report.to_dict())
    if as_json:
        show(json.dumps(report.to_dict(), indent=2, ensure_ascii=False))
    else:
        _show(report)
        tell(f"Wrote {out}")
    if dataset == "table" and not labels:
        taken = ", ".join(chosen.labels) or "none"
        tell(f"Columns taken as labels: {taken}. If one is no label, name those that are: --label COLUMN")


def _refuse_within(raw: Path, out: Path) -> None:
    """Refuses a table in the folder that it is made of: whatever reads that folder next has every post twice."""
    if raw.is_dir() and out.resolve().is_relative_to(raw.resolve()):
        raise click.UsageError(
            f"'{out}' would be one of the tables in '{raw}', with every post twice. Write it elsewhere: "
            f"-o {raw.resolve().parent / out.name}"
        )


def _dataset(name: str, raw: Path, labels: tuple[str, ...]) -> Dataset:
    if name == "table":
        from crossguard.data.datasets.generic import dataset

        return dataset(raw, labels)
    if labels:
        raise click.UsageError(f"--label is for `table`; '{name}' has labels of its own.")
    return find(name)


def _show(report: DatasetReport) -> None:
    from crossguard.cli.table import console, plain

    screen, splits = console(), list(report.posts)
    table = plain((report.dataset, *splits))
    table.add_row("posts", *(str(report.posts[split]) for split in splits))
    table.add_row("not annotated, left out", *(str(report.not_annotated.get(split, 0)) for split in splits))
    table.add_row("images", *(str(report.images.get(split, 0)) for split in splits))
    table.add_row("images missing", *(str(report.missing_images.get(split, 0)) for split in splits))
    table.add_row("with words from the image", *(f"{report.image_text[split]:.1%}" for split in splits))
    for name in report.known[splits[0]] if splits else ():
        cells = [f"{report.labels[s].get(name, 0):.4f} of {report.known[s][name]}" for s in splits]
        table.add_row(name, *cells)
    screen.print(table)
    unlabelled = {name: count for name, count in report.not_annotated.items() if not report.posts.get(name)}
    notes: dict[str, dict[str, Any] | list[str]] = {
        "ids without annotation": unlabelled,
        "broken images": report.broken_images,
        "posts with neither text nor image": report.blank,
        "ids that occur twice": report.duplicate_ids,
        "texts in two splits": report.duplicate_texts,
        "images alike in two splits": report.alike_images,
    }
    for what, found in notes.items():
        if found:
            shown = found if len(found) <= SHOWN else f"{len(found)}, see the report file"
            screen.print(f"{what}: {shown}", highlight=False)
    if report.caution:
        screen.print(f"caution: {report.caution}", highlight=False)
