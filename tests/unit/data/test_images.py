"""Every kind of picture, good and bad, through the one decoder."""

from __future__ import annotations

import base64
import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.support.pictures import BLUE, HEIC, RED, encoded, halves, near

from crossguard.data.image_decoding import DecodeOptions, decode_bytes
from crossguard.data.images import THUMBNAIL_SIZE, decode, thumbnail
from crossguard.errors import ImageError


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "BMP", "TIFF", "GIF", "AVIF"])
def test_formats(kind: str) -> None:
    (frame,) = decode(encoded(halves(), kind))
    assert (frame.mode, frame.size) == ("RGB", (64, 32))
    assert near(frame.getpixel((8, 16)), RED)
    assert near(frame.getpixel((56, 16)), BLUE)


def test_heic() -> None:
    pytest.importorskip("pi_heif")
    (frame,) = decode(HEIC)
    assert (frame.mode, frame.size) == ("RGB", (64, 32))
    assert near(frame.getpixel((8, 16)), RED, 25)
    assert near(frame.getpixel((56, 16)), BLUE, 25)


def test_heic_without_its_extra_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "pi_heif", None)
    with pytest.raises(ImageError, match=r"pip install 'crossguard\[heif\]'") as caught:
        decode_bytes(HEIC, "the image", DecodeOptions())
    assert caught.value.code == "image_needs_extra"


def test_real_pictures(shared_data: Path) -> None:
    paths = sorted((shared_data / "MMHS150K" / "img_resized").glob("*.jpg"))
    assert paths
    for path in paths:
        (exact,), (fast,) = decode(path), decode(path, size_hint=224)
        assert min(fast.size) >= 224
        difference = np.asarray(exact.resize((224, 224)), np.float32) - np.asarray(fast.resize((224, 224)), np.float32)
        assert np.abs(difference).mean() < 4.0


@pytest.mark.parametrize(("size", "expected"), [((1000, 500), (360, 180)), ((50, 80), (50, 80))])
def test_a_picture_becomes_a_small_jpeg_of_the_same_shape(size: tuple[int, int], expected: tuple[int, int]) -> None:
    head, _, data = thumbnail(encoded(Image.new("RGBA", size, (200, 30, 30, 255)), "PNG")).partition(",")
    assert head == "data:image/jpeg;base64"
    small = Image.open(io.BytesIO(base64.b64decode(data)))
    assert (small.format, small.size) == ("JPEG", expected)
    assert small.size[0] <= THUMBNAIL_SIZE[0]


def test_an_image_of_the_caller_keeps_its_size() -> None:
    image = Image.new("RGB", (1000, 500))
    thumbnail(image)
    assert image.size == (1000, 500)


def test_what_is_no_picture_is_said() -> None:
    with pytest.raises(ImageError):
        thumbnail(b"no picture")
