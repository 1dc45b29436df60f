"""An image of any shape becomes a square as torchvision makes it, without a large image in between."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from PIL import Image

from crossguard.preprocessing.resize import LONGEST, Square, resized


def test_the_shorter_side_is_rounded_as_in_torchvision() -> None:
    assert resized(500, 333, 224) == (336, 224)
    assert resized(333, 500, 224) == (224, 336)


@pytest.mark.parametrize(
    "shape", [(2000, 100), (100, 2000), (3000, 7), (65_535, 1), (1, 65_535), (1025, 64), (1024, 64)]
)
@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
def test_the_centre_of_a_long_image_is_the_same_cut_before_or_after(
    shape: tuple[int, int], interpolation: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = Image.fromarray(np.random.default_rng(0).integers(0, 256, (5, 5, 3), dtype=np.uint8))
    image, square = small.resize(shape), Square(16, "crop", interpolation)
    before = np.asarray(square.apply(image)).astype(int)
    monkeypatch.setattr("crossguard.preprocessing.resize.LONGEST", 100_000)
    assert np.abs(np.asarray(square.apply(image)) - before).max() <= 1
    assert LONGEST < 100_000
