"""The words in an image, read when asked for and remembered by the content of the image.

RapidOCR (extra `[ocr]`) carries its models in its wheel and runs them on OpenVINO, which Crossguard needs anyway.
Nothing is downloaded.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from crossguard.cache import cache_folder, keep
from crossguard.data.ahead import in_order
from crossguard.data.image_sources import read_encoded
from crossguard.data.images import DEFAULT_LIMITS, decode
from crossguard.errors import ImageError, needs_extra
from crossguard.machine import available_cores
from crossguard.records import ImageSource, Post

# Words of an image that is shown for a moment count as much as those of a still one.
_FRAMES = 4
# Images per thread that are read before the first of them is needed.
AHEAD = 4
# The engine scales images to this side; words of a long screenshot would be a few pixels high. By a multiple of their
# short side, images are too long: high ones, and wide ones, whose lines a cut divides.
_SIDE = 2000
_TOO_LONG = (4, 20)
_LEAST = 64
_MOST_STRIPS = 16
# Part of the cache's path: to be raised with every change here by which an image gives other words.
_READING = 3
# How far from its place a cut may be, as a share of a strip: it goes between two lines.
_NEAR = 0.1


class WordReader:
    """Reads the words in images, several images at once. Safe to share between threads.

    To be closed where a run may end early: Python waits for its threads, and they would read all images that wait.
    """

    def __init__(self, cache: Path | None = None) -> None:
        """Prepares a thread per core; its models load with its first image, in a second or two. `cache` keeps words."""
        self._create = _engines()
        # A better version of the engine, or of what is done here, reads again.
        self._cache = (cache or cache_folder()) / "ocr" / f"rapidocr-{version('rapidocr')}-{_READING}"
        self._threads = available_cores()
        self._pool = ThreadPoolExecutor(self._threads, thread_name_prefix="crossguard-ocr")
        self._own = threading.local()

    def read(self, image: ImageSource) -> str:
        """Returns the words in an image, line by line from top to bottom; empty where there are none."""
        return self._pool.submit(self._read, image).result()

    def fill(self, entries: Iterable[Post]) -> Iterator[Post]:
        """Yields posts, in order, with `image_text` filled in where there is an image and no text of it yet.

        An image that cannot be decoded is left as it is: scoring tells why.
        """
        # Enough that no thread waits for the slowest image.
        return in_order(self._filled, entries, AHEAD * self._threads, self._pool)

    def close(self) -> None:
        """Leaves images that wait unread, at once; those that are being read are read to their end."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _filled(self, entry: Post) -> Post:
        if entry.error is not None or entry.image is None or entry.image_text:
            return entry
        try:
            return replace(entry, image_text=self._read(entry.image))
        except ImageError:
            return entry

    def _read(self, image: ImageSource) -> str:
        content = image if isinstance(image, Image.Image | np.ndarray) else read_encoded(image, DEFAULT_LIMITS)
        key = _content_key(content)
        place = self._cache / key[:2] / f"{key}.txt"
        with suppress(OSError, UnicodeDecodeError):
            return place.read_text(encoding="utf-8")
        # No larger than the engine can use: a photo of 48 MP that is scored is no other for its words.
        frames = decode(content, frames=_FRAMES, size_hint=_SIDE)
        words = "\n".join(dict.fromkeys(line for frame in frames for line in self._lines(frame)))
        keep(place, words.encode())
        return words

    def _lines(self, frame: Image.Image) -> list[str]:
        if not hasattr(self._own, "engine"):
            self._own.engine = self._create()
        pixels = np.asarray(frame)[:, :, ::-1]  # the engine expects BGR
        return [line for strip in _strips(pixels) for line in self._own.engine(strip).txts or ()]


def _strips(pixels: NDArray[np.uint8]) -> list[NDArray[np.uint8]]:
    """Cuts a long image, as the engine would scale its words to nothing."""
    long, short = max(pixels.shape[:2]), min(pixels.shape[:2])
    axis = int(pixels.shape[1] == long)
    if long <= _SIDE or long <= _TOO_LONG[axis] * short:
        return [pixels]
    count = min(-(-long // max(_SIDE, 2 * short)), _MOST_STRIPS)
    cuts = [_quietest(pixels, axis, long * at // count, int(_NEAR * long / count)) for at in range(1, count)]
    room = [(0, 0), (0, 0), (0, 0)]
    room[1 - axis] = (0, max(0, _LEAST - short))
    return np.split(np.pad(pixels, room, constant_values=255), cuts, axis)


def _quietest(pixels: NDArray[np.uint8], axis: int, at: int, near: int) -> int:
    """Returns the row or column near a place along which the image changes least: between lines, not through one."""
    found = np.take(pixels, range(at - near, at + near), axis).std(axis=1 - axis).mean(axis=-1)
    quiet = np.flatnonzero(found <= found.min() + 1)
    return at - near + int(quiet[np.abs(quiet - near).argmin()])


def _content_key(content: bytes | Image.Image | NDArray[np.uint8]) -> str:
    """The sha256 of the encoded bytes, or of the pixels where there are none.

    Raises:
        ImageError: A PIL image cannot be decoded.
    """
    if isinstance(content, Image.Image):
        frames = decode(content, frames=_FRAMES)
        content = b"".join(f"{frame.size} ".encode() + frame.tobytes() for frame in frames)
    elif isinstance(content, np.ndarray):
        content = f"{content.dtype} {content.shape} ".encode() + content.tobytes()
    return hashlib.sha256(content).hexdigest()


def _engines() -> Callable[[], Any]:
    """Returns what makes an engine that works on one core: images side by side leave no core waiting for another."""
    with needs_extra("Reading the words in images", "ocr"):
        from rapidocr import EngineType, RapidOCR
    params: dict[str, object] = {f"{part}.engine_type": EngineType.OPENVINO for part in ("Det", "Cls", "Rec")}
    params |= {f"EngineConfig.openvino.{name}": 1 for name in ("inference_num_threads", "num_streams")}
    # By default it enlarges small images until the shorter side has 736 pixels, which is slow and tears lines apart.
    params |= {"Global.log_level": "critical", "Det.limit_type": "max", "Det.limit_side_len": 960}
    return lambda: RapidOCR(params=params)
