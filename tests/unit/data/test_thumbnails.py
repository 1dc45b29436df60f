"""Pictures inside pages."""

from __future__ import annotations

import base64
import io

import pytest
from PIL import Image

from crossguard.data.images import THUMBNAIL_SIZE, thumbnail
from crossguard.errors import ImageError


@pytest.mark.parametrize(("size", "expected"), [((1000, 500), (360, 180)), ((50, 80), (50, 80))])
def test_a_picture_becomes_a_small_jpeg_of_the_same_shape(size: tuple[int, int], expected: tuple[int, int]) -> None:
    buffer = io.BytesIO()
    Image.new("RGBA", size, (200, 30, 30, 255)).save(buffer, "PNG")
    head, _, data = thumbnail(buffer.getvalue()).partition(",")
    assert head == "data:image/jpeg;base64"
    small = Image.open(io.BytesIO(base64.b64decode(data)))
    assert (small.format, small.size) == ("JPEG", expected)
    assert small.size[0] <= THUMBNAIL_SIZE[0]


def test_what_is_no_picture_is_said() -> None:
    with pytest.raises(ImageError):
        thumbnail(b"no picture")
