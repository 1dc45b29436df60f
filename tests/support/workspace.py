"""A folder with the files that the documentation takes for granted: `posts.csv`, `labelled.csv`, `meme.jpg` ..."""

from __future__ import annotations

import contextlib
import io
import json
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
from PIL import Image
from pyarrow import parquet
from tests.support.datasets import table

from crossguard.cli import run
from crossguard.labels import HATE

ROOT: Final = Path(__file__).resolve().parents[2]
POSTS: Final = 240
SPLITS: Final = ("train", "val", "test")


def make_workspace(folder: Path) -> Path:
    """Fills a folder from the sentences that the package carries, each with its labels."""
    folder.mkdir(parents=True, exist_ok=True)
    prepared = folder / "templates.parquet"
    templates = ROOT / "src" / "crossguard" / "resources" / "templates"
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        assert run(["prepare", "templates", str(templates), "-o", str(prepared)]) == 0
    rows = _sample(parquet.read_table(prepared).to_pylist())
    prepared.unlink()
    table(folder / "posts.csv", [{"id": row["id"], "text": row["text"]} for row in rows[:20]])
    table(folder / "labelled.csv", rows)
    table(folder / "other-system.csv", [_guess(row) for row in rows])
    for name in ("posts.jsonl", "last-week.jsonl"):
        lines = [json.dumps({"id": row["id"], "text": row["text"]}) for row in rows[:20]]
        (folder / name).write_text("\n".join(lines) + "\n", encoding="utf-8")
    parquet.write_table(pa.Table.from_pylist(rows), folder / "posts.parquet")
    noise = np.random.default_rng(0)
    for name in ("meme.jpg", "one.jpg", "two.png"):
        Image.fromarray(noise.integers(0, 255, (90, 120, 3), dtype=np.uint8)).save(folder / name)
    return folder


def _sample(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    chosen = np.random.default_rng(0).permutation(len(rows))[:POSTS]
    kept = []
    for place, number in enumerate(chosen):
        row = rows[number]
        labels = {name: row[name] for name in HATE.names}
        kept.append({"id": f"p{place}", "text": row["text"], "split": SPLITS[place % len(SPLITS)], **labels})
    return kept


def _guess(row: dict[str, Any]) -> dict[str, Any]:
    """Scores of another system: right more often than not."""
    chance = np.random.default_rng(int(row["id"][1:]))
    return {"id": row["id"], **{name: round(0.6 * (row[name] or 0) + 0.4 * chance.random(), 3) for name in HATE.names}}
