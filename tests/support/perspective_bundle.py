"""A tiny bundle that has Perspective's attributes beside the kinds of hate."""

from __future__ import annotations

import shutil
from pathlib import Path

from tests.support.tiny_bundle import manifest

from crossguard.bundle import Bundle, write_manifest

ATTRIBUTES = ("toxicity", "severe_toxicity", "insult", "threat", "profanity")


def write_perspective_bundle(tiny: Bundle, folder: Path) -> Bundle:
    """Copies the tiny bundle and gives its first scheme's outputs the names of attributes."""
    shutil.copytree(tiny.folder, folder)
    changed = manifest("attributed")
    changed["labels"] += [{"name": name, "meaning": f"{name} for tests", "prior": 0.1} for name in ATTRIBUTES]
    changed["label_schemes"] = {"all": list(range(10))}
    band = {"threshold": 0.5, "review": 0.4}
    labels = changed["policies"]["default"]["labels"] | dict.fromkeys(ATTRIBUTES, band)
    changed["policies"] = {"default": {"name": "default", "version": "7", "label_scheme": "all", "labels": labels}}
    return write_manifest(folder, changed | {"languages": ["en"]})
