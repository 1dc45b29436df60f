#!/usr/bin/env python3
"""Writes a run whose weights are a mean of those of several runs that began alike (Wortsman et al., ICML 2022).

Usage: scripts/average_weights.py OUT RUN=SHARE RUN=SHARE ... [--untrained RUN --outputs N]

Everything but the weights is copied from the first run. Of `--untrained`, only the first N outputs were trained: those
behind are averaged over the other runs.
"""

from __future__ import annotations

import argparse
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from safetensors import safe_open
from safetensors.torch import load_file, save_file

WEIGHTS: Final = "model.safetensors"
OUTPUTS: Final = "cls.4."
# What only a run that goes on reads.
LEFT_OUT: Final = frozenset({WEIGHTS, "state.pt"})


def write_average(out: Path, shares: Mapping[Path, float], untrained: Path | None = None, outputs: int = 0) -> None:
    """Writes the weighted mean of runs of one model, beside the other files of the first."""
    first = next(iter(shares))
    runs = {run: load_file(run / WEIGHTS) for run in shares}
    trained = {run: share for run, share in shares.items() if run != untrained}
    mean = dict(runs[first])
    for name, weight in mean.items():
        if weight.is_floating_point():
            mean[name] = sum(runs[run][name] * share for run, share in shares.items()) / sum(shares.values())
            if name.startswith(OUTPUTS) and untrained is not None:
                known = sum(runs[run][name] * share for run, share in trained.items()) / sum(trained.values())
                mean[name][outputs:] = known[outputs:]
    out.mkdir(parents=True, exist_ok=True)
    for file in first.iterdir():
        if file.is_file() and file.name not in LEFT_OUT:
            shutil.copy(file, out)
    with safe_open(first / WEIGHTS, "pt") as stored:
        save_file(mean, out / WEIGHTS, metadata=stored.metadata())


def main() -> None:
    """Runs the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("runs", nargs="+", metavar="RUN=SHARE")
    parser.add_argument("--untrained", type=Path)
    parser.add_argument("--outputs", type=int, default=0)
    options = parser.parse_args()
    shares = {Path(run): float(share) for run, _, share in (argument.rpartition("=") for argument in options.runs)}
    write_average(options.out, shares, options.untrained, options.outputs)


if __name__ == "__main__":
    main()
