#!/usr/bin/env python3
"""Writes a run whose weights are the mean of those of another run and of those that it started from.

Usage: scripts/average_with_start.py RUN START OUT --outputs N

Only the first N outputs were trained in both; those behind keep the weights of RUN (Wortsman et al., CVPR 2022).
"""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path
from typing import Final

from safetensors import safe_open
from safetensors.torch import load_file, save_file

WEIGHTS: Final = "model.safetensors"
OUTPUTS: Final = "cls.4."
# What only a run that goes on reads.
LEFT_OUT: Final = frozenset({WEIGHTS, "state.pt"})


def write_average(run: Path, start: Path, out: Path, outputs: int) -> None:
    """Writes the mean of two runs of one model, beside the other files of the first."""
    mean, before = load_file(run / WEIGHTS), load_file(start / WEIGHTS)
    for name, weight in mean.items():
        if weight.is_floating_point():
            rows = slice(outputs) if name.startswith(OUTPUTS) else slice(None)
            weight[rows] = weight[rows].lerp(before[name][rows], 0.5)
    out.mkdir(parents=True, exist_ok=True)
    for file in run.iterdir():
        if file.is_file() and file.name not in LEFT_OUT:
            shutil.copy(file, out)
    with safe_open(run / WEIGHTS, "pt") as stored:
        save_file(mean, out / WEIGHTS, metadata=stored.metadata())


def main() -> None:
    """Runs the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("start", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--outputs", type=int, required=True)
    options = parser.parse_args()
    write_average(options.run, options.start, options.out, options.outputs)


if __name__ == "__main__":
    main()
