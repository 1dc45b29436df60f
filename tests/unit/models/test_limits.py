"""A model says what its encoders take, so that nobody learns it from a library's traceback."""

from __future__ import annotations

import pytest

pytest.importorskip("torch", reason="the networks need crossguard[train]")

from crossguard.models.building import tiny
from crossguard.models.config import ModelConfig


@pytest.mark.parametrize("head", ["fusion", "mtl"])
@pytest.mark.parametrize(
    ("backend", "image_size", "positions"), [("clip", 32, 77), ("siglip", 32, 64), ("compact", None, 128)]
)
def test_a_model_knows_what_it_takes(backend: str, head: str, image_size: int | None, positions: int) -> None:
    model = tiny(ModelConfig(backend, head, fusion_dim=8))
    assert (model.image_size, model.text_positions, model.vocabulary) == (image_size, positions, 99)
