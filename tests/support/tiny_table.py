"""A small training table with pictures, made here: bright pictures and the word `awful` mean label `racist`."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from crossguard.data.datasets.rows import Row, write_table

LABELS = ("racist", "sexist")
POSTS = 96
TRAINED = 64


def write_tiny_table(folder: Path, posts: int = POSTS) -> Path:
    """Writes pictures and `tiny.parquet`; two posts of three have a picture, four of five have text."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = [_row(folder, number) for number in range(posts)]
    write_table(rows, LABELS, "tiny", folder / "tiny.parquet")
    return folder / "tiny.parquet"


def _row(folder: Path, number: int) -> Row:
    random = np.random.default_rng(number)
    hateful = bool(random.random() < 0.4)
    words = "".join(random.choice(list("abcdefgh "), size=int(random.integers(3, 30))))
    text = f"{'awful' if hateful else 'lovely'} {words}" if number % 5 else ""
    image = folder / f"{number}.png" if number % 3 or not text else None
    if image is not None:
        pixels = random.integers(0, 100, size=(40, 50, 3)) + (120 if hateful else 0)
        Image.fromarray(pixels.astype(np.uint8)).save(image)
    labels = {"racist": float(hateful)} | ({"sexist": float(random.random() < 0.3)} if number % 4 else {})
    split = "train" if number < TRAINED else "val"
    return Row(str(number), text, "", image, split, labels, float(hateful), "any")
