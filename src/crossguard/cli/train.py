"""`crossguard train`: a recipe and data to a trained model."""

from __future__ import annotations

from pathlib import Path

import click

from crossguard.checked_settings import read_nth
from crossguard.cli.options import EXISTING, PATH, out_option
from crossguard.cli.telling import show
from crossguard.errors import needs_extra


@click.command("train")
@click.argument("recipe")
@click.option(
    "--data",
    required=True,
    help="A table of `crossguard prepare`, or a folder with one per source of the recipe; also s3://, gs://, hdfs://.",
)
@out_option(type=PATH, required=True, help="Folder of the run.")
@click.option("--set", "overrides", multiple=True, metavar="KEY=VALUE", help="Change a setting of the recipe.")
@click.option("--resume", is_flag=True, help="Resume the run in the output folder exactly where it was saved.")
@click.option(
    "--fold",
    metavar="K/N",
    help="Hold out part K (from 0) of N of the table, or of the sources with cross_validate: true.",
)
@click.option(
    "--start",
    type=EXISTING,
    multiple=True,
    help="A run whose weights to start from, also with other labels; the mean when given several times.",
)
@click.option("--save-every", type=click.IntRange(min=1), help="Save the state after that many steps, too.")
def command(  # noqa: PLR0917 one per option, by name
    recipe: str,
    data: str,
    out: Path,
    overrides: tuple[str, ...],
    resume: bool,
    fold: str | None,
    start: tuple[Path, ...],
    save_every: int | None,
) -> None:
    """Train a model by RECIPE, a name of `crossguard recipes` or a YAML file.

    \b
    crossguard train harmeme-compact --data harmeme.parquet -o runs/harmeme
    crossguard train clip-fusion --data mmhs.parquet -o runs/clip --set seed=1
    torchrun --nproc-per-node 4 -m crossguard train clip-fusion \\
        --data mmhs150k.parquet -o runs/clip

    The folder gets model.safetensors, config.json, inference_config.json, label_map.json, val_report.json, the log
    (log.jsonl, and tensorboard/ for TensorBoard), and the state that --resume reads.
    """
    with needs_extra("Training", "train"):
        from crossguard.training.recipes import load
        from crossguard.training.run import train
        from crossguard.training.sources import Fold
    held_out = Fold(*read_nth(fold, "--fold")) if fold else None
    measures = train(
        load(recipe, overrides), data, out, resume=resume, fold=held_out, start=start, save_every=save_every
    )
    for name, value in measures.items():
        show(f"{name}\t{value:.4f}")
