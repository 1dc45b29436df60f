"""One model, all contenders, three kinds of posts."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.ceiling import image_gflop, text_gflop
from benchmarks.interleaving import Contender, Effort, Speed, cpu_clock, interleave
from benchmarks.posts import image_only, text_only
from benchmarks.reference import PlainLoop
from benchmarks.subjects import Subject
from crossguard.machine import multiplies_bf16
from crossguard.moderator import Moderator
from crossguard.preprocessing.text import TextEncoder
from crossguard.records import Post

BASELINE: Final = "PyTorch fp32, batches of 32"
BATCH: Final = 32
COMPARED: Final = 32
SHORT_HELP: Final = "try the benchmark itself: the least work, no metrics to quote"


@dataclass(frozen=True)
class Timed:
    """A way to score, with what it says."""

    contender: Contender
    logits: Callable[[Sequence[Post]], NDArray[np.float32]]


def add_effort_options(parser: argparse.ArgumentParser, rounds: int, seconds: float) -> None:
    """Adds the options that `effort_of` reads."""
    parser.add_argument("--rounds", type=int, default=rounds, help="turns of each contender")
    parser.add_argument("--seconds", type=float, default=seconds, help="length of a turn")
    parser.add_argument(
        "--clock",
        choices=["wall", "cpu"],
        default="wall",
        help="cpu: processor time over cores, for a machine that is never quiet; PyTorch then runs on one core",
    )
    parser.add_argument("--short", action="store_true", help=SHORT_HELP)
    parser.add_argument("--out", type=Path, default=Path("build/benchmarks"), help="folder for JSON and plot")


def effort_of(options: argparse.Namespace) -> Effort:
    """Returns how to measure."""
    if options.short:
        return Effort(rounds=1, seconds=0.05)
    if options.clock == "wall":
        return Effort(options.rounds, options.seconds)
    return Effort(options.rounds, options.seconds, cpu_clock)


def references(subject: Subject, tokenizer: Path, *, full_length: bool) -> list[Timed]:
    """PyTorch's ways to score as contenders; `full_length` as for `PlainLoop`."""

    def timed(name: str, batch: int, dtype: torch.dtype = torch.float32) -> Timed:
        loop = PlainLoop(subject, tokenizer, batch=batch, full_length=full_length, dtype=dtype)
        return Timed(Contender(name, loop.logits, batch), loop.logits)

    both = [timed("PyTorch fp32, one by one", 1), timed(BASELINE, BATCH)]
    return [*both, timed("PyTorch bf16, batches of 32", BATCH, torch.bfloat16)] if multiplies_bf16() else both


def ours(name: str, moderator: Moderator) -> Timed:
    """A moderator as a contender, from posts to decisions."""
    contender = Contender(name, lambda posts: list(moderator.stream(posts)), steps=64)
    return Timed(contender, lambda posts: moderator.logits(posts)[0].values)


def measure(
    timed: Sequence[Timed], baseline: str, posts: Sequence[Post], *, gflop: float, ceiling: float, effort: Effort
) -> dict[str, dict[str, Any]]:
    """Measures contenders against one of them; `gflop` is the arithmetic of one post, `ceiling` in GFLOP/s."""
    with _one_core() if effort.clock is cpu_clock else nullcontext():
        speeds = interleave([entry.contender for entry in timed], posts, effort)
    logits = {entry.contender.name: entry.logits(posts[:COMPARED]) for entry in timed}
    lines = {}
    for name, speed in speeds.items():
        lines[name] = _line(speed, speeds[baseline], gflop / ceiling, _apart(logits[name], logits[baseline]))
    return lines


def kinds(subject: Subject, texts: TextEncoder, posts: list[Post]) -> Mapping[str, tuple[list[Post], float]]:
    """Returns the three kinds of posts, each with the mean arithmetic of one post in GFLOP."""
    tokens = texts.encode([(post.text, post.image_text) for post in posts])
    padded = subject.text.max_length if subject.text.padding == "max_length" else None
    text = text_gflop(subject, [padded or len(entry.ids) for entry in tokens])
    image = image_gflop(subject)
    return {
        "text": (text_only(posts), text),
        "image": (image_only(posts), image),
        "both": (posts, text + image),
    }


@contextmanager
def _one_core() -> Iterator[None]:
    """Holds PyTorch to one core: its threads take processor time while they wait for each other in a loop.

    Only for as long as this is measured by processor time: the ceiling and single posts are measured on all cores.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _apart(logits: NDArray[np.float32], baseline: NDArray[np.float32]) -> float | None:
    """Returns the largest difference of a logit; None for a model with other outputs, which is another model."""
    return float(np.abs(logits - baseline).max()) if logits.shape == baseline.shape else None


def _line(speed: Speed, baseline: Speed, seconds_at_ceiling: float, difference: float | None) -> dict[str, Any]:
    """Returns what was measured of one contender on one kind of posts: medians over the rounds, and their range.

    `ceiling` is the share of the measured fp32 matrix-product ceiling that the model's own arithmetic would take,
    `logit_difference` the largest absolute one from the baseline's logits; None for another model.
    """
    ratio, ratio_lowest, ratio_highest = speed.ratio(baseline)
    return {
        "posts_per_second": speed.median,
        "lowest": min(speed.rates),
        "highest": max(speed.rates),
        "ratio": ratio,
        "ratio_lowest": ratio_lowest,
        "ratio_highest": ratio_highest,
        "ceiling": speed.median * seconds_at_ceiling,
        "logit_difference": difference,
    }
