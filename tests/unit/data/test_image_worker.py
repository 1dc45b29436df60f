"""What is decoded apart, and what happens to a process that takes too long, too much, or dies."""

from __future__ import annotations

import io
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from PIL import Image
from tests.support.hostile_images import many_scans, png
from tests.support.pictures import encoded

from crossguard.data import image_worker
from crossguard.data.image_decoding import DecodeOptions, decode_bytes
from crossguard.data.image_limits import ImageLimits
from crossguard.data.image_worker import is_cheap
from crossguard.data.images import read_image
from crossguard.errors import ImageError
from crossguard.preprocessing.resize import Square

FAST = DecodeOptions(size_hint=224, square=Square(224, "crop", "bicubic"))


@pytest.fixture
def pool(monkeypatch: pytest.MonkeyPatch) -> Iterator[image_worker._Pool]:
    """Processes of this test alone."""
    pool = image_worker._Pool()
    monkeypatch.setattr(image_worker, "_pool", pool)
    yield pool
    pool.close()


def photograph(width: int, height: int) -> Image.Image:
    small = np.random.default_rng(0).integers(0, 256, (30, 40, 3), dtype=np.uint8)
    return Image.fromarray(small).resize((width, height))


@pytest.mark.parametrize(
    ("size", "kind", "options", "costly"),
    [
        ((2048, 1536), "JPEG", {}, False),
        ((2048, 1536), "JPEG", {"progressive": True}, False),
        ((4000, 3000), "JPEG", {}, False),
        ((1920, 1080), "PNG", {}, False),
        ((1024, 1024), "WEBP", {}, False),
        ((640, 480), "GIF", {}, False),
        ((3000, 2000), "PNG", {}, True),
        ((3000, 2000), "WEBP", {}, True),
        ((64, 64), "TIFF", {}, True),
        ((64, 64), "BMP", {}, True),
        ((64, 64), "AVIF", {}, True),
    ],
)
def test_ordinary_images_are_cheap(size: tuple[int, int], kind: str, options: dict[str, Any], costly: bool) -> None:
    assert is_cheap(encoded(Image.new("RGB", size), kind, **options), FAST) is not costly


def test_what_is_no_image_is_cheap() -> None:
    assert is_cheap(b"hello", FAST)
    assert not is_cheap(many_scans(2_000, 80), FAST)


def test_pixels_are_the_same_on_either_side(pool: image_worker._Pool) -> None:
    for options in (FAST, DecodeOptions(), DecodeOptions(frames=3)):
        for kind in ("BMP", "TIFF", "PNG", "GIF"):
            frames = [photograph(700, 500), Image.new("RGB", (700, 500)), photograph(700, 500).rotate(90)]
            more = {"save_all": True, "append_images": frames[1:], "duration": 50} if kind in {"PNG", "GIF"} else {}
            data = encoded(frames[0], kind, **more)
            here, there = decode_bytes(data, "x", options), pool.decode(data, "x", options)
            assert [frame.tobytes() for frame in here.frames] == [frame.tobytes() for frame in there.frames]
            assert here.sampled == there.sampled
    assert len(pool._idle) == 1


def test_errors_are_the_same_on_either_side(pool: image_worker._Pool) -> None:
    for data in (b"BMxxxx", encoded(photograph(700, 500), "TIFF")[:-1000], png(30_000, 30_000)[:5000]):
        told = []
        for decode in (decode_bytes, pool.decode):
            with pytest.raises(ImageError) as caught:
                decode(data, "the image", FAST)
            told.append(str(caught.value))
        assert told[0] == told[1]


@pytest.mark.usefixtures("pool")
def test_a_slow_image_is_given_up_and_the_next_one_decoded() -> None:
    read_image(encoded(photograph(64, 64), "BMP"), FAST)
    begun = time.monotonic()
    with pytest.raises(ImageError, match=r"may take 0\.2 s") as caught:
        read_image(many_scans(6_000, 90), DecodeOptions(ImageLimits(max_seconds=0.2)))
    assert caught.value.code == "image_timed_out"
    assert time.monotonic() - begun < 20
    assert read_image(encoded(photograph(64, 64), "BMP"), FAST).frames


def test_a_decoder_that_crashes_takes_only_its_image(pool: image_worker._Pool) -> None:
    read_image(encoded(photograph(64, 64), "BMP"), FAST)
    for worker in pool._idle:
        worker.kill()
        worker.process.wait()
        monkeyed = worker
    assert read_image(encoded(photograph(64, 64), "BMP"), FAST).frames  # a dead one is replaced
    assert monkeyed not in pool._idle
    for worker in pool._idle:
        worker.requests.write(b"no request\n")
        worker.requests.flush()
        worker.process.wait()
        with pytest.raises(ImageError, match="crashed"):
            worker.decode(b"", "x", FAST)
    assert read_image(encoded(photograph(64, 64), "BMP"), FAST).frames


@pytest.mark.usefixtures("pool")
def test_more_pixels_than_pillow_takes_are_decoded_where_they_are_allowed() -> None:
    jpeg = encoded(Image.new("L", (14_000, 13_000), 90), "JPEG")
    allowed = DecodeOptions(ImageLimits(max_pixels=182_000_000), size_hint=224)
    (frame,) = read_image(jpeg, allowed).frames
    assert frame.size == (1_750, 1_625)
    for limits in (ImageLimits(max_pixels=181_999_999), ImageLimits()):
        with pytest.raises(ImageError) as caught:
            read_image(jpeg, DecodeOptions(limits))
        assert caught.value.code == "image_too_many_pixels"
        assert f"may have {limits.max_pixels:,} pixels" in str(caught.value)


def test_nothing_starts_after_the_end(pool: image_worker._Pool) -> None:
    read_image(encoded(photograph(64, 64), "BMP"), FAST)
    (worker,) = pool._idle
    image_worker.close_image_workers()
    assert worker.process.poll() is not None
    with pytest.raises(ImageError, match="stopped"):
        read_image(encoded(photograph(64, 64), "BMP"), FAST)
    assert read_image(encoded(photograph(64, 64), "JPEG"), FAST).frames


def test_a_fork_decodes_although_threads_of_its_parent_were_decoding() -> None:
    """A fork has no such threads, so what they held was held for ever."""
    script = """
import io, os, signal
from PIL import Image
from crossguard.data import image_worker, images

file = io.BytesIO()
Image.new("RGB", (64, 64)).save(file, "BMP")
images.decode(file.getvalue())
while image_worker._pool._turns.acquire(blocking=False):
    pass
for lock in (image_worker._pool._lock, *images._LOCKS):
    lock.acquire()
child = os.fork()
if child == 0:
    signal.alarm(30)
    images.decode(file.getvalue())
    images.decode(Image.open(file))
    os._exit(0)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
os._exit(0)
"""
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True)
    assert run.stdout == "0\n", run.stderr


def test_a_file_of_many_parts_is_left_to_a_process() -> None:
    jpeg = encoded(photograph(64, 64), "JPEG")
    assert not is_cheap(jpeg[:2] + b"\xff\xe5\0\2" * 1_000 + jpeg[2:], FAST)
    assert not is_cheap(io.BytesIO(png(8, 8, extra=b"\0\0\0\0teXt\0\0\0\0" * 10_000)).getvalue(), FAST)
