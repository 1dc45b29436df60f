"""Writes a small table of annotated posts with pictures, for tests of everything that measures."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from crossguard.labels import HATE

FRIENDLY = ("hello good people", "i love my friends", "good morning all", "you are good")
SUITE = """functionality,test_case,label_gold,target_ident
greeting,"hello, friends",non-hateful,
greeting,good morning you,non-hateful,women
insult,you are awful,hateful,women
insult,awful people,hateful,Muslims
"""
"""A functional suite, as a CSV file."""
HOSTILE = ("you are all awful people", "i hate awful people", "awful you are")


def write_posts(path: Path, posts: int = 120, *, images: bool = True) -> Path:
    """Writes JSONL: every third post is hostile and carries one of the first four labels; `otherhate` is unknown.

    Every second post has a picture. `group` names a made-up group, `split` alternates between `a` and `b`.
    """
    generator = np.random.default_rng(0)
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = []
    for index in range(posts):
        hostile = index % 3 == 0
        text = generator.choice(HOSTILE if hostile else FRIENDLY)
        row: dict[str, Any] = {
            "id": f"p{index}",
            "text": f"{text} {index}",
            "split": "ab"[index % 2],
            "group": ["x", "y", ""][index % 3 - 1],
        }
        carried = HATE.names[index // 6 % 4] if hostile else ""
        row |= {name: float(name == carried) for name in HATE.names[:4]}
        if images and index % 2:
            row["image_path"] = f"{index}.png"
            colour = (200, 30, 30) if hostile else (30, 160, 90)
            Image.new("RGB", (48, 48), colour).save(path.parent / row["image_path"])
        rows.append(row)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path
