"""Features of images from an image encoder that does not change: computed once, kept on disk."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from crossguard.cache import cache_folder, keep
from crossguard.training.batches import Batcher
from crossguard.training.objective import Objective

Features = NDArray[np.float32]


def known_features(objective: Objective, batcher: Batcher, batch_size: int) -> dict[Path, Features]:
    """Returns the features of every image of a batcher, float32 (width,) each."""
    keys = {path: hashlib.sha256(batcher.pixels([path]).tobytes()).hexdigest() for path in batcher.images}
    file = cache_folder() / "features" / f"{_encoder_key(objective)}.npz"
    known = _read(file)
    wanted = {key: path for path, key in keys.items() if key not in known}
    if wanted:
        known |= dict(zip(wanted, _compute(objective, batcher, list(wanted.values()), batch_size), strict=True))
        _write(file, known)
    return {path: known[key] for path, key in keys.items()}


def _compute(objective: Objective, batcher: Batcher, paths: list[Path], size: int) -> Features:
    objective.eval()
    device = objective.pos_weight.device
    features = []
    with torch.no_grad():
        for start in range(0, len(paths), size):
            pixels = torch.from_numpy(batcher.pixels(paths[start : start + size])).to(device)
            features.append(objective.model.image_features(objective.normalizer(pixels)).float().cpu().numpy())
    return np.concatenate(features)


def _encoder_key(objective: Objective) -> str:
    # The heads take different features of one encoder.
    digest = hashlib.sha256(objective.model.config.head.encode())
    for name, weight in objective.model.holders()[1].state_dict().items():
        if not name.startswith("text_"):
            digest.update(name.encode() + weight.detach().cpu().numpy().tobytes())
    return digest.hexdigest()[:24]


def _read(file: Path) -> dict[str, Features]:
    if not file.is_file():
        return {}
    with np.load(file) as stored:
        return dict(zip(stored["keys"].tolist(), stored["features"], strict=True))


def _write(file: Path, known: dict[str, Features]) -> None:
    content = io.BytesIO()
    np.savez(content, keys=np.array(list(known)), features=np.stack(list(known.values())))
    keep(file, content.getbuffer())
