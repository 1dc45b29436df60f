"""Any pixel format to what a viewer would see as RGB: transparency lies on white, deep pixels are scaled."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

_DEEP_MODES = frozenset({"I", "F", "I;16", "I;16L", "I;16B", "I;16N"})
_PREMULTIPLIED = {"La": "LA", "RGBa": "RGBA"}
_WHITE = (255, 255, 255)


def to_rgb(image: Image.Image) -> Image.Image:
    """Returns a loaded picture as mode RGB; the same object when it is RGB already."""
    if image.mode in _DEEP_MODES:
        image = Image.fromarray(_to_8_bits(np.asarray(image)))
    if image.mode in _PREMULTIPLIED:
        image = image.convert(_PREMULTIPLIED[image.mode])
    if image.has_transparency_data:
        return _on_white(image)
    return image if image.mode == "RGB" else image.convert("RGB")


def _on_white(image: Image.Image) -> Image.Image:
    # Pillow knows the transparent value of 1-bit pictures only after they became grey.
    grey = image.convert("L") if image.mode == "1" else image
    layer = grey if grey.mode == "RGBA" else grey.convert("RGBA")
    canvas = Image.new("RGB", layer.size, _WHITE)
    canvas.paste(layer, mask=layer)
    return canvas


def _to_8_bits(pixels: NDArray[np.generic]) -> NDArray[np.uint8]:
    """Scales grey values to 0..255: 16-bit files by their type, floats and 32-bit integers by the range they use."""
    if pixels.dtype == np.uint16:
        return (pixels.astype(np.uint32) // 257).astype(np.uint8)
    values = np.nan_to_num(pixels.astype(np.float64), nan=0.0, posinf=0.0, neginf=0.0)
    low, high = float(values.min()), float(values.max())
    if low < 0:
        values, top = values - low, high - low
    else:
        usual = (1.0, 255.0, 65535.0) if pixels.dtype.kind == "f" else (255.0, 65535.0)
        top = next((bound for bound in usual if high <= bound), high)
    return np.asarray(np.round(values * (255.0 / max(top, 1e-12))), dtype=np.uint8)
