#!/usr/bin/env python3
"""Removes from training tables the posts that repeat a text of an evaluation suite, or nearly do.

Usage: scripts/drop_overlaps.py TABLES --suite FILE:COLUMN [--suite FILE:COLUMN ...] [--report FILE]

A post repeats a text when it has the same letters and digits, or holds at least NEAR of its runs of three words; texts
of fewer than FEWEST such runs count only when they are equal. The tables are replaced.
"""

from __future__ import annotations

import argparse
import csv
import json
import re
from collections import Counter, defaultdict
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.parquet as pq

from crossguard.saving import whole_file

WORD: Final = re.compile(r"\w+")
RUN: Final = 3
NEAR: Final = 0.8
FEWEST: Final = 3


class Suite:
    """The texts that no training post may repeat."""

    def __init__(self, texts: set[str]) -> None:
        """Indexes the texts by letters and by runs of words."""
        words = [WORD.findall(text.casefold()) for text in texts]
        self._letters = {"".join(parts) for parts in words if parts}
        self._runs: dict[tuple[str, ...], set[int]] = defaultdict(set)
        self._counts: list[int] = []
        for number, runs in enumerate(map(_runs, words)):
            self._counts.append(len(runs))
            for run in runs if len(runs) >= FEWEST else ():
                self._runs[run].add(number)

    def repeats(self, text: str) -> str:
        """Returns `equal`, `near`, or an empty string."""
        words = WORD.findall(text.casefold())
        if "".join(words) in self._letters:
            return "equal"
        shared = Counter(number for run in _runs(words) for number in self._runs.get(run, ()))
        return "near" if any(count >= NEAR * self._counts[number] for number, count in shared.items()) else ""


def _runs(words: list[str]) -> set[tuple[str, ...]]:
    return {tuple(words[start : start + RUN]) for start in range(len(words) - RUN + 1)}


def read_suite(argument: str) -> set[str]:
    """Returns the texts of a column of a CSV file, given as FILE:COLUMN."""
    path, _, column = argument.rpartition(":")
    with Path(path).open(encoding="utf-8-sig", newline="") as file:
        return {row[column] for row in csv.DictReader(file)}


def clean(path: Path, suite: Suite) -> dict[str, int]:
    """Rewrites one table without the posts that repeat a text; returns how many of each kind there were."""
    table = pq.read_table(path)
    texts = zip(table["text"].to_pylist(), table["image_text"].to_pylist(), strict=True)
    kinds = [suite.repeats(f"{text} {words}") for text, words in texts]
    if any(kinds):
        with whole_file(path) as unfinished:
            pq.write_table(table.filter(pa.array([not kind for kind in kinds])), unfinished, compression="zstd")
    return dict(Counter(filter(None, kinds)))


def main() -> None:
    """Runs the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tables", type=Path)
    parser.add_argument("--suite", action="append", required=True)
    parser.add_argument("--report", type=Path)
    options = parser.parse_args()
    suite = Suite({text for argument in options.suite for text in read_suite(argument)})
    found = {path.stem: clean(path, suite) for path in sorted(options.tables.glob("*.parquet"))}
    for name, counts in found.items():
        print(f"{name}: dropped {counts.get('equal', 0)} equal, {counts.get('near', 0)} near")
    if options.report:
        options.report.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
