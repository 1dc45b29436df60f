"""The words in a picture, read when asked for and remembered by the picture's content.

RapidOCR (extra `[ocr]`) carries its models in its wheel and runs them on OpenVINO, which Crossguard needs anyway.
Nothing is downloaded.
"""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from crossguard.data.image_sources import read_encoded
from crossguard.data.images import DEFAULT_LIMITS, ImageLimits, decode
from crossguard.errors import ImageError, MissingExtraError
from crossguard.records import ImageSource, Post

# Words of a picture that is shown for a moment count as much as those of a still one.
_FRAMES = 4


class WordReader:
    """Reads the words in pictures. Not for several threads at once."""

    def __init__(self, cache: Path | None = None, limits: ImageLimits = DEFAULT_LIMITS) -> None:
        """Loads the models, which takes about two seconds.

        Args:
            cache: Folder of remembered words; `cache_folder()` when None.
            limits: Caps on what is decoded.

        Raises:
            MissingExtraError: RapidOCR is not installed.
        """
        self._cache = (cache or cache_folder()) / "ocr" / f"rapidocr-{_version()}"
        self._limits = limits
        self._engine = _engine()

    def read(self, image: ImageSource) -> str:
        """Returns the words in a picture, line by line from top to bottom; empty where there are none.

        Raises:
            ImageError: The picture cannot be decoded.
        """
        key = _content_key(image, self._limits)
        place = self._cache / key[:2] / f"{key}.txt"
        with suppress(OSError, UnicodeDecodeError):
            return place.read_text(encoding="utf-8")
        frames = decode(image, self._limits, frames=_FRAMES)
        words = "\n".join(dict.fromkeys(line for frame in frames for line in self._lines(frame)))
        _remember(place, words)
        return words

    def fill(self, entries: Iterable[Post]) -> Iterator[Post]:
        """Yields posts with `image_text` filled in where there is a picture and no text of it yet.

        A picture that cannot be decoded is left as it is: scoring tells why.
        """
        for entry in entries:
            if entry.error is not None or entry.image is None or entry.image_text:
                yield entry
                continue
            try:
                yield replace(entry, image_text=self.read(entry.image))
            except ImageError:
                yield entry

    def _lines(self, frame: Image.Image) -> list[str]:
        result = self._engine(np.asarray(frame)[:, :, ::-1])  # the engine expects BGR
        return list(result.txts or ())


def cache_folder() -> Path:
    """Returns where Crossguard keeps what it can compute again: `CROSSGUARD_CACHE`, or the system's place for it."""
    if chosen := os.environ.get("CROSSGUARD_CACHE"):
        return Path(chosen)
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "crossguard"
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local") / "crossguard" / "Cache"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "crossguard"


def _content_key(image: ImageSource, limits: ImageLimits) -> str:
    """The sha256 of the encoded bytes, or of the pixels where there are none."""
    if isinstance(image, Image.Image):
        content = f"{image.mode} {image.size} ".encode() + image.tobytes()
    elif isinstance(image, np.ndarray):
        content = f"{image.dtype} {image.shape} ".encode() + image.tobytes()
    else:
        content = read_encoded(image, limits)
    return hashlib.sha256(content).hexdigest()


def _remember(place: Path, words: str) -> None:
    """Writes a cache entry at once or not at all; a cache that cannot be written is no reason to stop."""
    with suppress(OSError):
        place.parent.mkdir(parents=True, exist_ok=True)
        unfinished = place.with_suffix(f".{os.getpid()}")
        unfinished.write_text(words, encoding="utf-8")
        unfinished.replace(place)


def _engine() -> Any:
    try:
        from rapidocr import EngineType, RapidOCR
    except ImportError:
        raise MissingExtraError("Reading the words in pictures", "ocr") from None
    openvino = {f"{part}.engine_type": EngineType.OPENVINO for part in ("Det", "Cls", "Rec")}
    # By default it enlarges small pictures until the shorter side has 736 pixels, which is slow and tears lines apart.
    size = {"Det.limit_type": "max", "Det.limit_side_len": 960}
    return RapidOCR(params={"Global.log_level": "critical", **openvino, **size})


def _version() -> str:
    """The version of the engine, so that a better one reads again."""
    try:
        return version("rapidocr")
    except ImportError:
        raise MissingExtraError("Reading the words in pictures", "ocr") from None
