"""The process that decodes costly images."""

from __future__ import annotations

import pytest
from tests.support.hostile_images import png

from crossguard.data import image_worker
from crossguard.data.image_decoding import DecodeOptions
from crossguard.data.image_limits import ImageLimits
from crossguard.errors import ImageError


def test_memory_is_bounded_by_the_kernel() -> None:
    worker = image_worker._Worker(ImageLimits(max_decoded_bytes=8_000_000))
    try:
        # The estimate is told a larger bound than the process has.
        with pytest.raises(ImageError, match="not enough memory"):
            worker.decode(png(8_000, 8_000, 8, 6), "x", DecodeOptions(ImageLimits(max_decoded_bytes=1 << 30)))
    finally:
        worker.close()
