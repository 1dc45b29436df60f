"""An image source becomes RGB frames, or an `ImageError` that says why not. Nothing becomes zeros.

Pillow decodes. Its scaled JPEG decoding (`size_hint`) takes 0.65 ms for a 500-pixel picture, simplejpeg's 0.59 ms, and
exact decoding 1.0 ms (one core, 24 pictures of MMHS150K), so a second JPEG library would not earn its place.
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from crossguard.data.animation import frame_count, sampled
from crossguard.data.image_formats import FORMATS, is_heif, looks_like, open_heif
from crossguard.data.image_limits import ImageLimits
from crossguard.data.image_modes import to_rgb
from crossguard.data.image_sources import describe, read_encoded
from crossguard.errors import CrossguardError, ImageError

if TYPE_CHECKING:
    from crossguard.records import ImageSource

__all__ = ["DEFAULT_FRAMES", "DEFAULT_LIMITS", "ImageLimits", "decode"]

DEFAULT_LIMITS = ImageLimits()
DEFAULT_FRAMES = 4

_CHANNELS = {1: "L", 3: "RGB", 4: "RGBA"}


def decode(
    source: ImageSource,
    limits: ImageLimits = DEFAULT_LIMITS,
    *,
    base: Path | None = None,
    size_hint: int | None = None,
    frames: int = DEFAULT_FRAMES,
) -> list[Image.Image]:
    """Decodes a picture as a viewer would show it: upright, on white, eight bits of RGB.

    Args:
        source: A path, a `data:` URL, encoded bytes, a PIL image, or a uint8 array of shape (height, width),
            (height, width, 1), (height, width, 3) or (height, width, 4). URLs of the network are never fetched.
        limits: Caps that are checked before pixels are decoded.
        base: The folder that relative paths start from; the working folder when None.
        size_hint: Pixels of width and height that the caller will shrink to. A JPEG is then decoded at the smallest
            scale of 1/8, 1/4, 1/2 and 1 that leaves at least that many, which is faster and not exactly the same
            pixels. None is exact.
        frames: At most how many frames of an animation are returned, evenly spaced, first and last included.

    Returns:
        One RGB image, or several for an animation.

    Raises:
        ImageError: With one of the codes in docs/reference/error-codes.md.
    """
    if isinstance(source, Image.Image):
        return _decode_opened(source, None, source, limits, frames)
    if isinstance(source, np.ndarray):
        return [to_rgb(_from_array(source, limits))]
    if not isinstance(source, str | bytes | bytearray | memoryview) and not hasattr(source, "__fspath__"):
        raise ImageError(
            "image_bad_type",
            f"An image is a path, a data: URL, bytes, a PIL image or a uint8 array, not {type(source).__name__}.",
        )
    encoded = read_encoded(bytes(source) if isinstance(source, bytearray | memoryview) else source, limits, base)
    image = _open(encoded, source, limits)
    if size_hint is not None and image.format in {"JPEG", "MPO"}:
        image.draft(None, (size_hint, size_hint))
    return _decode_opened(image, encoded, source, limits, frames)


def _open(encoded: bytes, source: ImageSource, limits: ImageLimits) -> Image.Image:
    try:
        image = open_heif(encoded) if is_heif(encoded) else Image.open(io.BytesIO(encoded), formats=FORMATS)
    except CrossguardError:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise ImageError(
            "image_too_many_pixels",
            f"An image may have {limits.max_pixels:,} pixels; {describe(source)} has far more.",
        ) from None
    except UnidentifiedImageError:
        raise ImageError(
            "image_not_an_image",
            f"Not an image that can be read: {describe(source)}{looks_like(encoded)}. "
            "Readable: JPEG, PNG, WebP, GIF, BMP, TIFF, AVIF, and HEIC with crossguard[heif].",
        ) from None
    except Exception as error:  # noqa: BLE001 - parsers of hostile bytes raise anything
        raise _broken(source, error) from None
    _check_pixels(image.size, source, limits)
    return image


def _decode_opened(
    image: Image.Image, encoded: bytes | None, source: ImageSource, limits: ImageLimits, wanted: int
) -> list[Image.Image]:
    _check_pixels(image.size, source, limits)
    try:
        numbers = sampled(frame_count(image, encoded, limits), wanted)
        if numbers == [0]:
            return [_upright_rgb(image)]
        shown = image.tell()
        decoded = [_frame(image, number) for number in numbers]
        image.seek(shown)  # a PIL image belongs to the caller
    except CrossguardError:
        raise
    except MemoryError:
        raise
    except Exception as error:  # noqa: BLE001 - parsers of hostile bytes raise anything
        raise _broken(source, error) from None
    return decoded


def _frame(image: Image.Image, number: int) -> Image.Image:
    image.seek(number)
    frame = to_rgb(image.copy())
    frame.info = {}
    return frame


def _upright_rgb(image: Image.Image) -> Image.Image:
    image.load()
    return to_rgb(ImageOps.exif_transpose(image) if _is_turned(image) else image)


def _is_turned(image: Image.Image) -> bool:
    """Whether the EXIF data turn or mirror the picture; unreadable EXIF data turn nothing."""
    try:
        return image.getexif().get(0x0112, 1) not in {0, 1}
    except Exception:  # noqa: BLE001 - parsers of hostile bytes raise anything
        return False


def _from_array(array: np.ndarray[Any, Any], limits: ImageLimits) -> Image.Image:
    shape = array.shape
    if array.dtype != np.uint8:
        raise ImageError(
            "image_bad_array",
            f"An image array has type uint8 with values 0 to 255, not {array.dtype}. "
            "For floats in 0 to 1 pass (array * 255).astype('uint8').",
        )
    channels = shape[2] if len(shape) == 3 else 1  # noqa: PLR2004 - height, width, channels
    if len(shape) not in {2, 3} or channels not in _CHANNELS or 0 in shape:
        raise ImageError(
            "image_bad_array",
            f"An image array has shape (height, width), (height, width, 3) or (height, width, 4), not {shape}.",
        )
    _check_pixels((shape[1], shape[0]), array, limits)
    plane = array[..., 0] if shape[2:] == (1,) else array
    return Image.fromarray(np.ascontiguousarray(plane))


def _check_pixels(size: tuple[int, int], source: ImageSource, limits: ImageLimits) -> None:
    width, height = size
    if width * height > limits.max_pixels:
        raise ImageError(
            "image_too_many_pixels",
            f"An image may have {limits.max_pixels:,} pixels; {describe(source)} has {width} x {height}.",
        )


def _broken(source: ImageSource, error: Exception) -> ImageError:
    text = str(error)
    if "truncated" in text.lower() or isinstance(error, EOFError):
        return ImageError("image_truncated", f"The image ends too early: {describe(source)}.")
    detail = text or type(error).__name__
    return ImageError("image_broken", f"The image cannot be decoded: {describe(source)} ({detail}).")
