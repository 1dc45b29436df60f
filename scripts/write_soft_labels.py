#!/usr/bin/env python3
"""Writes what teachers think of the posts that a recipe trains on, as a table that another run learns from.

Usage: scripts/write_soft_labels.py RECIPE DATA --teacher BUNDLE [--teacher BUNDLE ...] [further options]

DATA gets a table soft-NAME.parquet for each teacher, after the name of its bundle's folder, and the mean of all as
soft-mean.parquet. Posts that a teacher was not trained on are among them: a run of one fold leaves out by itself
whatever has the words of a post that it holds out.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from crossguard.data.datasets.rows import Row, write_table
from crossguard.decision.calibration import sigmoid
from crossguard.moderator import Moderator
from crossguard.records import Post
from crossguard.training.examples import Examples, read_examples
from crossguard.training.recipes import load


def opinions(teacher: Moderator, examples: Examples, label_scheme: str) -> NDArray[np.float64]:
    """Returns a teacher's probabilities of the words of each post, (n, labels); NaN for posts without words."""
    posts = [Post(id=str(row), text=text, image_text=words) for row, (text, words) in enumerate(examples.words)]
    logits, _ = teacher.logits(posts)
    return sigmoid(logits.values[:, list(teacher.bundle.manifest.label_schemes[label_scheme])].astype(np.float64))


def soft_rows(examples: Examples, labels: tuple[str, ...], shares: NDArray[np.float64]) -> Iterator[Row]:
    """Yields posts with probabilities, (n, labels), as their labels; the stratum of a post is its source.

    A post is hateful with the chance that any label holds, each taken for itself. Rows of NaN are left out.
    """
    ids, words, sources = examples.ids, examples.words, examples.sources
    for row in np.flatnonzero(~np.isnan(shares).any(axis=1)):
        text, image_text = words[row]
        yield Row(
            id=ids[row],
            text=text,
            image_text=image_text,
            labels=dict(zip(labels, shares[row].tolist(), strict=True)),
            hateful=float(1 - np.prod(1 - shares[row])),
            stratum=sources[row],
        )


def main() -> None:
    """Runs the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recipe", help="whose training posts to label")
    parser.add_argument("data", type=Path, help="folder with its tables")
    parser.add_argument("--teacher", type=Path, action="append", required=True, help="bundle")
    parser.add_argument("--label-scheme", default="any", help="outputs of the teachers")
    parser.add_argument("--precision", default="auto", help="of the teachers: fp32 or bf16")
    options = parser.parse_args()
    examples, _ = read_examples(load(options.recipe), options.data)
    heard = []
    for folder in options.teacher:
        teacher = Moderator.load(folder, precision=options.precision)
        heard.append(opinions(teacher, examples, options.label_scheme))
        write(f"soft-{folder.name}", examples, teacher.labels.names, heard[-1], options.data)
    write("soft-mean", examples, teacher.labels.names, np.mean(heard, axis=0), options.data)


def write(name: str, examples: Examples, labels: tuple[str, ...], shares: NDArray[np.float64], data: Path) -> None:
    """Writes one table and says so."""
    rows = list(soft_rows(examples, labels, shares))
    write_table(rows, labels, name, data / f"{name}.parquet")
    print(f"{len(rows):,} posts in {data / name}.parquet")


if __name__ == "__main__":
    main()
