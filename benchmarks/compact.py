"""`make bench`: the bundled model beside a plain PyTorch loop over the same model, in one run."""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import numpy as np

from benchmarks import machine, report
from benchmarks.ceiling import ceilings
from benchmarks.fresh import peak_memory, start_up
from benchmarks.interleaving import latencies
from benchmarks.posts import make_posts, text_only
from benchmarks.reference import PlainLoop
from benchmarks.subjects import Subject, compact
from benchmarks.suite import BASELINE, Timed, add_effort_options, effort_of, kinds, measure, ours, references
from crossguard.bundle import Bundle
from crossguard.export.quantize import quantize
from crossguard.machine import multiplies_bf16
from crossguard.moderator import Moderator
from crossguard.preprocessing.text import TextEncoder
from crossguard.records import Post

POSTS: Final = 256
CALIBRATION: Final = 64
REQUESTS: Final = 100
STARTS: Final = 5
SHORT: Final = 8


def main() -> None:
    """Measures, prints, writes."""
    options = _options()
    with tempfile.TemporaryDirectory(prefix="crossguard-bench-") as folder:
        result = run(Path(folder), options)
    paths = report.write(options.out, "compact", result)
    print(_summary(result))
    print(f"\nWrote {' and '.join(str(path) for path in paths)}")


def run(folder: Path, options: argparse.Namespace) -> dict[str, Any]:
    """Makes posts and bundles in a folder and measures everything."""
    described = machine.describe()
    subject = compact(short=options.short)
    exact = subject.write_bundle(folder / "fp32")
    posts = make_posts(folder / "posts", SHORT if options.short else POSTS)
    shipped = quantize(exact, posts[: SHORT if options.short else CALIBRATION], folder / "int8")
    timed = _contenders(subject, exact, shipped)
    memory_posts = SHORT if options.short else options.memory_posts
    gflops = ceilings()
    effort = effort_of(options)
    texts = TextEncoder(exact.tokenizer, subject.text)
    speed = {
        kind: measure(timed, BASELINE, chosen, gflop=gflop, ceiling=gflops["fp32"], effort=effort)
        for kind, (chosen, gflop) in kinds(subject, texts, posts).items()
        if kind == "both" or not options.short
    }
    posts_file = _write_posts(folder / "posts.jsonl", posts)
    texts_file = _write_posts(folder / "texts.jsonl", text_only(posts))
    return {
        "machine": described,
        "clock": options.clock,
        "matmul_gflops": gflops,
        "speed": speed,
        "latency_ms": _latency(subject, shipped, posts, 1 if options.short else REQUESTS),
        "start_up_s": {
            "text": start_up(shipped.folder, None, 1 if options.short else STARTS),
            "both": start_up(shipped.folder, Path(str(posts[0].image)), 1 if options.short else STARTS),
        },
        "memory": {
            "text": peak_memory(shipped.folder, texts_file, memory_posts),
            "both": peak_memory(shipped.folder, posts_file, memory_posts),
        },
    }


def _contenders(subject: Subject, exact: Bundle, shipped: Bundle) -> list[Timed]:
    timed = [
        *references(subject, exact.tokenizer, full_length=False),
        ours("Crossguard ONNX Runtime fp32", Moderator.load(exact.folder, runtime="onnx")),
        ours("Crossguard ONNX Runtime int8", Moderator.load(shipped.folder, runtime="onnx")),
        ours("Crossguard OpenVINO fp32", Moderator.load(exact.folder)),
        ours("Crossguard OpenVINO int8, as shipped", Moderator.load(shipped.folder)),
    ]
    if multiplies_bf16():
        timed.append(ours("Crossguard OpenVINO bf16", Moderator.load(exact.folder, precision="bf16")))
    return timed


def _latency(subject: Subject, bundle: Bundle, posts: list[Post], requests: int) -> dict[str, tuple[float, float]]:
    loop = PlainLoop(subject, bundle.tokenizer, batch=1, full_length=False)
    moderator = Moderator.load(bundle.folder)
    contenders: dict[str, Callable[[Post], object]] = {
        "PyTorch fp32": lambda post: loop.logits([post]),
        "Crossguard": lambda post: moderator.score(text=post.text, image=post.image, image_text=post.image_text),
    }
    return latencies(contenders, posts, requests)


def _write_posts(path: Path, posts: list[Post]) -> Path:
    rows = [{"id": post.id, "text": post.text, "image": post.image, "image_text": post.image_text} for post in posts]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def _summary(result: dict[str, Any]) -> str:
    gflops = ", ".join(f"{name} {value:.0f}" for name, value in result["matmul_gflops"].items())
    head = f"{machine.told(result['machine'])}; matrix product in GFLOP/s: {gflops}"
    lines = [head, "", report.table(result["speed"]), ""]
    for name, (p50, p95) in result["latency_ms"].items():
        lines.append(f"one post, {name}: p50 {p50:.1f} ms, p95 {p95:.1f} ms")
    for kind, starts in result["start_up_s"].items():
        told = f"{np.median(starts):.2f} s ({min(starts):.2f} to {max(starts):.2f})"
        lines.append(f"crossguard score of one post, {kind}, from start to end of the process: {told}")
    for kind, memory in result["memory"].items():
        over_time = ", ".join(f"{value:.0f}" for value in memory["over_time_mb"])
        lines.append(
            f"peak memory, {memory['posts']:,} posts, {kind}: {memory['peak_mb']:.0f} MB "
            f"(after each tenth: {over_time}); torch imported: {memory['torch']}"
        )
    return "\n".join(lines)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.compact", description=__doc__)
    add_effort_options(parser, rounds=5, seconds=2.0)
    parser.add_argument("--memory-posts", type=int, default=5000, help="posts that the memory runs score")
    return parser.parse_args()


if __name__ == "__main__":
    main()
