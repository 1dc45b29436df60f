"""Posts per second of training, beside a plain loop written as the reference does it; same model, same weights trained.

    python -m benchmarks.training [TABLE] [POSTS]

The plain loop decodes every image again in each epoch, runs the frozen image encoder every time, pads every text to
the maximum, and computes in float32. TABLE is what `crossguard prepare harmeme` wrote; without it, memes are made on
the spot.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import numpy as np
import torch

from benchmarks import machine
from benchmarks.posts import make_posts
from benchmarks.suite import SHORT_HELP
from crossguard.data.images import decode
from crossguard.models.pixels import PixelNormalizer
from crossguard.preprocessing.image import to_pixels
from crossguard.training.batches import Batcher
from crossguard.training.examples import Examples
from crossguard.training.optimizer import build_optimizer
from crossguard.training.pixels import build_cache
from crossguard.training.recipe import Recipe
from crossguard.training.recipes import load
from crossguard.training.run import build_model
from crossguard.training.sources import read_examples
from crossguard.training.tokenizers import write_tokenizer
from crossguard.training.trainer import Trainer

POSTS: Final = 192
ROUNDS: Final = 3
SHORT: Final = 8


def main(table: Path, posts: int) -> None:
    """Measures both in turns, an epoch each after a first one that is not counted, and prints a line per loop."""
    epochs = f"num_train_epochs={1 + ROUNDS}"
    recipe = load("harmeme-compact", ["select_best=false", "early_stopping_patience=null", epochs])
    everything, _ = read_examples(recipe, table)
    examples = everything.take(np.random.default_rng(0).permutation(len(everything))[:posts])
    loops = plain_epoch(recipe, examples), own_epoch(recipe, examples)
    for epoch in loops:
        epoch()
    rates = np.array([[len(examples) / measured(epoch) for epoch in loops] for _ in range(ROUNDS)])
    (plain, own), ratios = np.median(rates, axis=0), rates[:, 1] / rates[:, 0]
    print(f"{len(examples)} posts, {ROUNDS} rounds")
    print(f"plain loop   {plain:8.1f} posts per second")
    print(f"crossguard   {own:8.1f} posts per second   ", end="")
    print(f"{np.median(ratios):.1f}x ({ratios.min():.1f} to {ratios.max():.1f})")


def measured(epoch: Callable[[], None]) -> float:
    """Returns the processor seconds per thread of an epoch, which other work on the machine changes little."""
    start = time.process_time()
    epoch()
    return (time.process_time() - start) / torch.get_num_threads()


def plain_epoch(recipe: Recipe, examples: Examples) -> Callable[[], None]:
    """The loop as the reference writes it."""
    encoder = write_tokenizer(recipe, Path(tempfile.mkdtemp()) / "tokenizer.json")
    model = build_model(recipe)
    optimizer = build_optimizer(model, recipe)
    spec = recipe.image_spec()
    normalizer = PixelNormalizer(spec.mean, spec.std)

    def epoch() -> None:
        model.train()
        for start in range(0, len(examples), recipe.per_device_train_batch_size):
            part = examples.take(range(start, min(start + recipe.per_device_train_batch_size, len(examples))))
            tokens = [entry.ids for entry in encoder.encode(part.words)]
            ids, mask = _padded(tokens, recipe.max_text_length)
            images = [to_pixels(decode(path)[0], spec) for path in part.images if path is not None]
            pixels = normalizer(torch.from_numpy(np.stack(images)))
            loss = model(ids, mask, pixels, labels=torch.from_numpy(part.targets))["loss"]
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), recipe.max_grad_norm)
            optimizer.step()
            optimizer.zero_grad()

    return epoch


def own_epoch(recipe: Recipe, examples: Examples) -> Callable[[], None]:
    """The trainer's loop."""
    cache = build_cache([path for path in examples.images if path], recipe.image_spec(), Path(tempfile.mkdtemp()))
    encoder = write_tokenizer(recipe, Path(tempfile.mkdtemp()) / "tokenizer.json")
    train, none = Batcher(recipe, examples, encoder, cache), Batcher(recipe, examples.take([]), encoder, cache)
    trainer = Trainer(recipe, build_model(recipe), train, none, Path(tempfile.mkdtemp()))
    number = iter(range(recipe.num_train_epochs))

    def epoch() -> None:
        trainer.train_epoch(next(number))

    return epoch


def _padded(tokens: list[tuple[int, ...]], length: int) -> tuple[torch.Tensor, torch.Tensor]:
    ids = torch.zeros(len(tokens), length, dtype=torch.int64)
    for row, own in enumerate(tokens):
        ids[row, : len(own)] = torch.tensor(own)
    return ids, (ids != 0).long()


def make_table(folder: Path, posts: int) -> Path:
    """Writes made memes in the layout of Harm-C and prepares them, as a user does."""
    raw, table = folder / "raw", folder / "harmeme.parquet"
    made = make_posts(raw / "images", posts)
    labels = (["not harmful"], ["somewhat harmful", "individual"])
    lines = [
        json.dumps({"id": post.id, "image": f"{post.id}.jpg", "labels": labels[number % 2], "text": post.text})
        for number, post in enumerate(made)
    ]
    (raw / "train.jsonl").write_text("\n".join(lines), encoding="utf-8")
    (raw / "val.jsonl").write_text(lines[0], encoding="utf-8")
    command = [sys.executable, "-m", "crossguard", "prepare", "harmeme", str(raw), "-o", str(table)]
    subprocess.run(command, check=True, capture_output=True)  # noqa: S603 - our own
    return table


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.training", description=__doc__)
    parser.add_argument("table", type=Path, nargs="?", help="of `crossguard prepare harmeme`; made if not given")
    parser.add_argument("posts", type=int, nargs="?", default=POSTS)
    parser.add_argument("--short", action="store_true", help=SHORT_HELP)
    return parser.parse_args()


if __name__ == "__main__":
    options = _options()
    count = SHORT if options.short else options.posts
    print(machine.told(machine.describe()))
    with tempfile.TemporaryDirectory(prefix="crossguard-bench-") as made:
        tempfile.tempdir = made  # so that no folder that is made on the way, such as that of pixels, is left
        main(options.table or make_table(Path(made), count), count)
