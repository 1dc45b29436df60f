"""CLIP ViT-B/32 and SigLIP2 base: the reference's way beside Crossguard's, and `compact` beside both."""

from __future__ import annotations

import argparse
import gc
import tempfile
from pathlib import Path
from typing import Any, Final

from benchmarks import machine, report
from benchmarks.ceiling import ceilings
from benchmarks.posts import make_posts
from benchmarks.subjects import Subject, clip, compact, siglip2
from benchmarks.suite import BASELINE, Timed, add_effort_options, effort_of, kinds, measure, ours, references
from crossguard.bundle import Bundle, read_bundle
from crossguard.export.quantize import quantize
from crossguard.machine import multiplies_bf16
from crossguard.moderator import Moderator
from crossguard.preprocessing.text import TextEncoder
from crossguard.records import Post
from crossguard.registry import MANIFEST

POSTS: Final = 128
CALIBRATION: Final = 64
SHORT: Final = 8
SUBJECTS: Final = {"clip": clip, "siglip2": siglip2}


def main() -> None:
    """Measures, prints, writes."""
    options = _options()
    for name in options.models:
        with tempfile.TemporaryDirectory(prefix="crossguard-bench-") as temporary:
            folder = options.work / name if options.work else Path(temporary)
            result = run(SUBJECTS[name](short=options.short), folder, options)
        paths = report.write(options.out, name, result)
        print(f"{machine.told(result['machine'])}\n")
        print(f"{name}\n\n{report.table(result['speed'])}\n\nWrote {' and '.join(str(path) for path in paths)}\n")
        gc.collect()


def run(subject: Subject, folder: Path, options: argparse.Namespace) -> dict[str, Any]:
    """Makes posts and bundles in a folder and measures all contenders."""
    described = machine.describe()
    posts = make_posts(folder / "posts", SHORT if options.short else POSTS)
    exact = _kept(folder / "fp32") or subject.write_bundle(folder / "fp32")
    timed = [
        *references(subject, exact.tokenizer, full_length=True),
        *_ours(exact, posts, folder),
        *([] if options.short else _compact(folder, posts)),
    ]
    gflops = ceilings()
    speed = {
        kind: measure(timed, BASELINE, chosen, gflop=gflop, ceiling=gflops["fp32"], effort=effort_of(options))
        for kind, (chosen, gflop) in kinds(subject, TextEncoder(exact.tokenizer, subject.text), posts).items()
        if kind in (["both"] if options.short else options.kinds)
    }
    return {"machine": described, "clock": options.clock, "matmul_gflops": gflops, "speed": speed}


def _ours(exact: Bundle, posts: list[Post], folder: Path) -> list[Timed]:
    int8 = _kept(folder / "int8") or quantize(exact, posts[:CALIBRATION], folder / "int8")
    timed = [
        ours("Crossguard fp32, exact pixels", Moderator.load(exact.folder, pixels="exact")),
        ours("Crossguard int8", Moderator.load(int8.folder)),
    ]
    if multiplies_bf16():
        half = Moderator.load(exact.folder, precision="bf16", pixels="exact")
        timed.append(ours("Crossguard bf16, exact pixels", half))
        timed.append(ours("Crossguard int8, the rest in bf16", Moderator.load(int8.folder, precision="bf16")))
    return timed


def _compact(folder: Path, posts: list[Post]) -> list[Timed]:
    small = _kept(folder / "compact") or compact().write_bundle(folder / "compact", "int8")
    int8 = _kept(folder / "compact-int8") or quantize(small, posts[:CALIBRATION], folder / "compact-int8")
    return [
        ours("Crossguard compact fp32", Moderator.load(small.folder)),
        ours("Crossguard compact int8", Moderator.load(int8.folder)),
    ]


def _kept(folder: Path) -> Bundle | None:
    """Returns the bundle that an earlier run left in a folder."""
    return read_bundle(folder) if (folder / MANIFEST).is_file() else None


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.backbones", description=__doc__)
    parser.add_argument("--models", nargs="+", choices=list(SUBJECTS), default=list(SUBJECTS))
    parser.add_argument("--kinds", nargs="+", choices=list(report.TITLES), default=list(report.TITLES))
    parser.add_argument("--work", type=Path, help="folder that keeps the bundles, which take minutes to quantise")
    add_effort_options(parser, rounds=3, seconds=3.0)
    return parser.parse_args()


if __name__ == "__main__":
    main()
