"""Features of an encoder that does not change are computed once per image and kept."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch", reason="training belongs to crossguard[train]")

import torch
from numpy.typing import NDArray
from tests.support.tiny_training import model_of, recipe_of

from crossguard.training.image_features import known_features
from crossguard.training.objective import Objective

RANDOM = np.random.default_rng(0)


class Images:
    """A batcher, as far as its images go."""

    def __init__(self, pixels: dict[str, NDArray[np.uint8]]) -> None:
        self._pixels = {Path(name): value for name, value in pixels.items()}

    @property
    def images(self) -> list[Path]:
        return list(self._pixels)

    def pixels(self, paths: list[Path]) -> NDArray[np.uint8]:
        return np.stack([self._pixels[path] for path in paths])


@pytest.fixture
def objective(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Objective:
    monkeypatch.setenv("CROSSGUARD_CACHE", str(tmp_path))
    recipe = recipe_of()
    return Objective(model_of(recipe), recipe, np.zeros((4, recipe.num_outputs), dtype=np.float32))


def images(*names: str) -> dict[str, NDArray[np.uint8]]:
    return {name: RANDOM.integers(0, 256, (32, 32, 3), dtype=np.uint8) for name in names}


def counted(objective: Objective, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Counts the images of each run of the encoder."""
    runs: list[int] = []
    encode = objective.model.image_features

    def note(pixels: torch.Tensor) -> torch.Tensor:
        runs.append(len(pixels))
        return encode(pixels)

    monkeypatch.setattr(objective.model, "image_features", note)
    return runs


def known(objective: Objective, pixels: dict[str, NDArray[np.uint8]], size: int = 2) -> dict[Path, NDArray[np.float32]]:
    batcher: Any = Images(pixels)
    return known_features(objective, batcher, size)


def test_they_are_what_the_model_gives(objective: Objective) -> None:
    pixels = images("a", "b", "c")
    found = known(objective, pixels)
    with torch.no_grad():
        batch = torch.from_numpy(np.stack(list(pixels.values())))
        expected = objective.model.image_features(objective.normalizer(batch)).numpy()
    np.testing.assert_allclose(np.stack(list(found.values())), expected, atol=1e-5)
    assert [path.name for path in found] == ["a", "b", "c"]


def test_an_image_is_encoded_once_whatever_it_is_called(objective: Objective, monkeypatch: pytest.MonkeyPatch) -> None:
    runs, pixels = counted(objective, monkeypatch), images("a", "b", "c")
    first = known(objective, pixels)
    assert runs == [2, 1]
    again = known(objective, {"renamed": pixels["a"], **images("new")})
    assert runs == [2, 1, 1]
    np.testing.assert_array_equal(again[Path("renamed")], first[Path("a")])
    known(objective, {})
    assert runs == [2, 1, 1]


def test_another_encoder_has_its_own(objective: Objective, monkeypatch: pytest.MonkeyPatch) -> None:
    pixels = images("a")
    first = known(objective, pixels)
    runs = counted(objective, monkeypatch)
    with torch.no_grad():
        next(objective.model.holders()[0].get_submodule("text_model").parameters()).add_(1)
        next(objective.model.proj_t.parameters()).add_(1)
    known(objective, pixels)
    assert runs == [], "neither texts nor the head say anything about an image"
    with torch.no_grad():
        next(objective.model.holders()[1].get_submodule("vision_model").parameters()).add_(1)
    second = known(objective, pixels)
    assert runs == [1]
    assert not np.allclose(first[Path("a")], second[Path("a")])


def test_heads_that_read_one_encoder_differently_have_their_own(objective: Objective) -> None:
    pixels = images("a")
    first = known(objective, pixels)[Path("a")]
    recipe = recipe_of(head="mtl")
    other = Objective(model_of(recipe), recipe, np.zeros((4, recipe.num_outputs), dtype=np.float32))
    encoders = [one.model.holders()[1].get_submodule("vision_model") for one in (objective, other)]
    encoders[1].load_state_dict(encoders[0].state_dict())
    second = known(other, pixels)[Path("a")]
    assert np.linalg.norm(first) == pytest.approx(1)
    assert np.linalg.norm(second) < 0.5, "this head takes features as they are"


def test_nothing_half_written_is_left(objective: Objective, tmp_path: Path) -> None:
    known(objective, images("a"))
    assert [path.suffix for path in (tmp_path / "features").iterdir()] == [".npz"]
    assert len(next((tmp_path / "features").iterdir()).name.split(".")) == 2


def test_a_cache_that_cannot_be_written_does_not_matter(objective: Objective, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CROSSGUARD_CACHE", "/proc/nowhere")
    assert [path.name for path in known(objective, images("a"))] == ["a"]
