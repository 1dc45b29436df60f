#!/usr/bin/env python3
"""Writes what teachers think of the posts that they were not trained on, as a table that another run learns from.

Usage: scripts/write_soft_labels.py RECIPE DATA OUT RUN [RUN ...]

RUN are the folds of one recipe, in order: `crossguard train RECIPE --data DATA -o RUN --fold K/N` for each K. Every
training post that the recipe cross-validates gets the probabilities of the one run that held it out, so that none of
them was learned by heart. OUT, a Parquet table, has a column per label and label scheme (`racist@any`), one per
auxiliary output, and `hateful@SCHEME`, the chance that any label holds, each taken for itself.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from math import isnan
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from crossguard.data.datasets.rows import Row, write_table
from crossguard.decision.calibration import sigmoid
from crossguard.evaluation.score_tables import PREDICTIONS, unpack_texts
from crossguard.training.examples import Examples
from crossguard.training.recipe import Recipe
from crossguard.training.recipes import load
from crossguard.training.sources import Fold, read_examples


def soft_columns(recipe: Recipe) -> tuple[str, ...]:
    """Returns the name of each output in the table, then those of whole posts."""
    labels = [f"{label}@{scheme}" for scheme in recipe.label_schemes for label in recipe.labels]
    return (*labels, *recipe.auxiliary, *(f"hateful@{scheme}" for scheme in recipe.label_schemes))


def soft_rows(recipe: Recipe, examples: Examples, logits: NDArray[np.float32]) -> Iterator[Row]:
    """Yields posts with probabilities, (n, outputs), as their labels; the stratum of a post is its source.

    An output that no post of these has a target of was not learned, and is left out.
    """
    shares = sigmoid(logits.astype(np.float64))
    shares[:, np.isnan(examples.targets).all(axis=0)] = np.nan
    wholes = [1 - np.prod(1 - shares[:, list(block)], axis=1) for block in recipe.columns.values()]
    values = np.concatenate([shares, np.stack(wholes, axis=1)], axis=1)
    names = soft_columns(recipe)
    posts = zip(examples.ids, examples.words, examples.images, examples.sources, values.tolist(), strict=True)
    for id_, (text, image_text), image, source, own in posts:
        labels = {name: share for name, share in zip(names, own, strict=True) if not isnan(share)}
        yield Row(id_, text, image_text, image, labels=labels, stratum=source)


def held_out(recipe: Recipe, data: Path, runs: Sequence[Path]) -> Iterator[tuple[Examples, NDArray[np.float32]]]:
    """Yields the posts that each run held out, with its logits of them."""
    for place, run in enumerate(runs):
        _, measured = read_examples(recipe, data, Fold(place, len(runs)))
        with np.load(run / PREDICTIONS) as stored:
            ids, logits = unpack_texts(stored["ids"]), stored["logits"]
        if ids != measured.ids:
            raise SystemExit(f"{run} is not fold {place}/{len(runs)} of this recipe on {data}.")
        yield measured, logits


def main() -> None:
    """Runs the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recipe", help="of the teachers")
    parser.add_argument("data", type=Path, help="folder with its tables")
    parser.add_argument("out", type=Path, help="table to write")
    parser.add_argument("runs", type=Path, nargs="+", help="the folds, in order")
    options = parser.parse_args()
    recipe = load(options.recipe)
    parts = held_out(recipe, options.data, options.runs)
    rows = [row for posts, logits in parts for row in soft_rows(recipe, posts, logits)]
    write_table(rows, soft_columns(recipe), options.out.stem, options.out)
    print(f"{len(rows):,} posts in {options.out}")


if __name__ == "__main__":
    main()
