"""Any pixel format to what a viewer would see as RGB: transparency lies on white, or on black where all is white."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

_DEEP_MODES: Final = frozenset({"I", "F", "I;16", "I;16L", "I;16B", "I;16N"})
_PREMULTIPLIED: Final = {"La": "LA", "RGBa": "RGBA"}
_ONE_BYTE: Final = frozenset({"1", "L", "P"})
_WHITE: Final = (255, 255, 255)
_BLACK: Final = (0, 0, 0)
# Of what can be seen of a sticker for dark backgrounds, at most this part is darker than nearly white.
_DARKER: Final = 0.001
_NEARLY_WHITE: Final = 224
_VISIBLE: Final = 32
_SAMPLE: Final = 256
# Deep pixels are scaled in bands of this many, so that the floats of a whole image never exist at once. Frames cross
# the pipe of a worker in them, too.
_BAND: Final = 1 << 18


def bands(width: int, height: int) -> Iterator[tuple[int, int]]:
    """Yields the first row and the number of rows of pieces of an image."""
    rows = max(1, _BAND // width)
    for top in range(0, height, rows):
        yield top, min(rows, height - top)


def bytes_per_pixel(image: Image.Image) -> int:
    """Returns how much memory an image and all copies that `to_rgb` makes take at most, per pixel."""
    mode = image.mode
    stored = 1 if mode in _ONE_BYTE else 2 if mode.startswith("I;16") else 4
    if mode in _DEEP_MODES:
        return stored + 1 + 4
    if image.has_transparency_data:
        # An RGBA layer, unless it is one, and the canvas.
        return stored + (0 if mode == "RGBA" else 4) + 4 + (4 if mode in _PREMULTIPLIED else 0)
    return stored if mode == "RGB" else stored + 4


def to_rgb(image: Image.Image) -> Image.Image:
    """Returns a loaded image as mode RGB; the same object when it is RGB already."""
    if image.mode in _DEEP_MODES:
        image = _to_8_bits(image)
    if image.mode in _PREMULTIPLIED:
        image = image.convert(_PREMULTIPLIED[image.mode])
    if image.has_transparency_data:
        return _on_canvas(image)
    return image if image.mode == "RGB" else image.convert("RGB")


def _on_canvas(image: Image.Image) -> Image.Image:
    # Pillow knows the transparent value of 1-bit images only after they became grey.
    grey = image.convert("L") if image.mode == "1" else image
    layer = grey if grey.mode == "RGBA" else grey.convert("RGBA")
    canvas = Image.new("RGB", layer.size, _BLACK if _is_white(layer) else _WHITE)
    canvas.paste(layer, mask=layer)
    return canvas


def _is_white(layer: Image.Image) -> bool:
    """Whether what can be seen of a layer is white, as letters for a dark background are."""
    width, height = layer.size
    sample = layer.resize((min(width, _SAMPLE), min(height, _SAMPLE)), Image.Resampling.NEAREST)
    alpha = sample.getchannel("A")
    lightness = sample.convert("L").histogram(alpha.point(lambda value: 255 if value >= _VISIBLE else 0))
    visible = sum(lightness)
    return 0 < visible < alpha.width * alpha.height and sum(lightness[:_NEARLY_WHITE]) <= _DARKER * visible


def _to_8_bits(image: Image.Image) -> Image.Image:
    """Scales grey values to 0..255: 16-bit files by their type, floats and 32-bit integers by the range they use."""
    if image.mode.startswith("I;16"):
        scaled = ((y, band // 257) for y, band in _bands(image))
    else:
        black, span = _range(image)
        scaled = ((y, np.round((band - black) * (255.0 / max(span, 1e-12)))) for y, band in _bands(image))
    grey = Image.new("L", image.size)
    for y, band in scaled:
        grey.paste(Image.fromarray(band.astype(np.uint8)), (0, y))
    return grey


def _range(image: Image.Image) -> tuple[float, float]:
    """Returns what is black, and how far above it white lies."""
    ends = [(float(band.min()), float(band.max())) for _, band in _bands(image)]
    low, high = min(least for least, _ in ends), max(most for _, most in ends)
    if low < 0:
        return low, high - low
    usual = (1.0, 255.0, 65535.0) if image.mode == "F" else (255.0, 65535.0)
    return 0.0, next((bound for bound in usual if high <= bound), high)


def _bands(image: Image.Image) -> Iterator[tuple[int, NDArray[Any]]]:
    """Yields rows of pixels with the number of the first; floats and 32-bit integers as finite float64."""
    for y, rows in bands(*image.size):
        band = np.asarray(image.crop((0, y, image.width, y + rows)))
        if image.mode.startswith("I;16"):
            yield y, band
        else:
            yield y, np.nan_to_num(band.astype(np.float64), nan=0.0, posinf=0.0, neginf=0.0)
