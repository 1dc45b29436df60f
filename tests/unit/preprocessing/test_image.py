from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from crossguard.data.images import decode
from crossguard.preprocessing.image import ImageSpec, to_pixels
from crossguard.preprocessing.resize import LONGEST, Square, resized


@pytest.mark.parametrize("resize", ["squash", "crop"])
@pytest.mark.parametrize("shape", [(10, 300), (300, 10), (33, 33), (1, 1), (64, 65)])
def test_every_shape_becomes_a_square(resize: str, shape: tuple[int, int]) -> None:
    spec = ImageSpec.model_validate({"size": 32, "resize": resize})
    pixels = to_pixels(Image.new("RGB", shape, (10, 20, 30)), spec)
    assert pixels.shape == (32, 32, 3)
    assert pixels.dtype == np.uint8
    assert (pixels == (10, 20, 30)).all()


def test_crop_takes_the_centre_and_squash_the_whole() -> None:
    picture = Image.new("RGB", (96, 32), "black")
    picture.paste("white", (32, 0, 64, 32))
    assert to_pixels(picture, ImageSpec(size=32, resize="crop")).min() == 255
    assert to_pixels(picture, ImageSpec(size=32, resize="squash")).mean() == pytest.approx(85, abs=3)


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


@pytest.mark.data
def test_pixels_equal_the_reference_transform(shared_data: Path) -> None:
    stored = np.load(shared_data / "reference_checkpoints" / "pixels" / "clip_eval_pixels.npz")
    mean = np.array([0.48145466, 0.4578275, 0.40821073])
    std = np.array([0.26862954, 0.26130258, 0.27577711])
    compared = 0
    for name in stored.files:
        path = shared_data / "MMHS150K" / "img_resized" / Path(name).with_suffix(".jpg").name
        if not path.is_file():
            continue
        expected = np.asarray(stored[name]).reshape(3, 224, 224).transpose(1, 2, 0) * std + mean
        spec = ImageSpec(size=224, resize="crop", interpolation="bilinear")
        pixels = to_pixels(decode(path)[0], spec) / 255.0
        assert np.abs(pixels - expected).max() <= 1 / 255 + 1e-6
        compared += 1
    assert compared == 4
