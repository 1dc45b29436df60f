"""The process that decodes costly images."""

from __future__ import annotations

import os
import resource

import pytest
from tests.support.hostile_images import png

from crossguard.data import image_worker
from crossguard.data.image_decoding import DecodeOptions
from crossguard.data.image_limits import ImageLimits
from crossguard.errors import ImageError
from crossguard.worker_process import NICENESS


def test_memory_is_bounded_by_the_kernel() -> None:
    worker = image_worker._Worker(ImageLimits(max_decoded_bytes=8_000_000))
    try:
        # The estimate is told a larger bound than the process has.
        with pytest.raises(ImageError, match="not enough memory"):
            worker.decode(png(8_000, 8_000, 8, 6), "x", DecodeOptions(ImageLimits(max_decoded_bytes=1 << 30)))
    finally:
        worker.close()


def test_it_may_write_no_files_and_open_few_and_gives_way_to_others() -> None:
    limits = ImageLimits(max_seconds=7)
    worker = image_worker._Worker(limits)
    try:
        worker.decode(png(8, 8), "x", DecodeOptions(limits))
        of_process = worker.process.pid
        assert resource.prlimit(of_process, resource.RLIMIT_CORE) == (0, 0)
        assert resource.prlimit(of_process, resource.RLIMIT_FSIZE) == (0, 0)
        assert resource.prlimit(of_process, resource.RLIMIT_NOFILE) == (32, 32)
        # What the process has used so far counts, and the other side kills it before.
        assert 7 < resource.prlimit(of_process, resource.RLIMIT_CPU)[0] < 7 + 10
        assert os.getpriority(os.PRIO_PROCESS, of_process) >= min(os.nice(0) + NICENESS, 19)
    finally:
        worker.close()
