"""A checkpoint in the layout of the two model cards as a bundle, made once and kept in the user's cache."""

from __future__ import annotations

import hashlib
from pathlib import Path

from crossguard.__about__ import __version__
from crossguard.bundle import sha256
from crossguard.cache import cache_folder
from crossguard.export.bundle import ExportPlan, export_bundle
from crossguard.models.loading import CHECKPOINT, WEIGHTS, find_inference_config, find_weights
from crossguard.registry import MANIFEST


def is_checkpoint(folder: Path) -> bool:
    """Whether a folder holds weights and an `inference_config.json` in the published layout."""
    try:
        find_weights(folder)
        find_inference_config(folder)
    except FileNotFoundError:
        return False
    return True


def as_bundle(folder: Path) -> Path:
    """Returns a bundle of a checkpoint, made on the first call and kept in the user's cache."""
    out = cache_folder() / "bundles" / _key(folder)
    if not (out / MANIFEST).is_file():
        export_bundle(folder, out, ExportPlan(_name(find_inference_config(folder).parent)))
    return out


def _key(folder: Path) -> str:
    """Hashes the chosen weights, and every file that the conversion may read besides them."""
    weights, root = find_weights(folder), find_inference_config(folder).parent
    others = [
        path
        for path in sorted(root.rglob("*"))
        if path.is_file() and path.name != WEIGHTS and not CHECKPOINT.match(path.relative_to(root).parts[0])
    ]
    digest = hashlib.sha256(f"{__version__}\n{sha256(weights)}\n".encode())
    for path in others:
        digest.update(f"{path.relative_to(root).as_posix()}\t{sha256(path)}\n".encode())
    return digest.hexdigest()[:16]


def _name(folder: Path) -> str:
    """Names the model after its folder; the Hub's cache keeps a repository as models--owner--name/snapshots/<hash>."""
    parts = [part for part in folder.resolve().parts if part.startswith("models--")]
    return parts[-1].split("--")[-1] if parts else folder.resolve().name
