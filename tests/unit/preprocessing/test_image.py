from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from crossguard.data.images import decode
from crossguard.preprocessing.image import ImageSpec, to_pixels


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
