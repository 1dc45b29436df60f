"""An image source becomes RGB frames, or an `ImageError` that says why not. Nothing becomes zeros."""

from __future__ import annotations

import io
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from PIL import Image

from crossguard.data.image_decoding import DEFAULT_FRAMES, DecodedImage, DecodeOptions, check_size, decode_opened
from crossguard.data.image_limits import ImageLimits
from crossguard.data.image_modes import to_rgb
from crossguard.data.image_sources import data_url, describe, read_encoded
from crossguard.data.image_worker import decode_safely
from crossguard.errors import ImageError
from crossguard.worker_process import in_forks

if TYPE_CHECKING:
    from crossguard.records import ImageSource

DEFAULT_LIMITS: Final = ImageLimits()
THUMBNAIL_SIZE: Final = (360, 270)

# Several posts may have one PIL image, whose pixels are read when they are asked for: never by two threads at once. The
# number of locks is a prime, since addresses are multiples of a power of two.
_LOCKS: Final = [Lock() for _ in range(61)]

_CHANNELS: Final = {1: "L", 3: "RGB", 4: "RGBA"}


def read_image(source: ImageSource, options: DecodeOptions, *, base: Path | None = None) -> DecodedImage:
    """Decodes an image as a viewer would show it: upright, on white, eight bits of RGB.

    Args:
        source: A path, a `data:` URL, encoded bytes, a PIL image, or a uint8 array of shape (height, width),
            (height, width, 1), (height, width, 3) or (height, width, 4). URLs of the network are never fetched.
        options: Bounds, size, and how many frames of an animation.
        base: The folder that relative paths start from; the working folder when None.

    Raises:
        ImageError: With one of the codes in docs/reference/error-codes.md.
    """
    if isinstance(source, Image.Image):
        with _LOCKS[id(source) % len(_LOCKS)]:
            return decode_opened(source, "the image", options)
    if isinstance(source, np.ndarray):
        return DecodedImage([options.shaped(to_rgb(_from_array(source, options.limits)))])
    if not isinstance(source, str | bytes | bytearray | memoryview) and not hasattr(source, "__fspath__"):
        raise ImageError(
            "image_bad_type",
            f"An image is a path, a data: URL, bytes, a PIL image or a uint8 array, not {type(source).__name__}.",
        )
    source = bytes(source) if isinstance(source, bytearray | memoryview) else source
    return decode_safely(read_encoded(source, options.limits, base), describe(source), options)


def decode(
    source: ImageSource,
    limits: ImageLimits = DEFAULT_LIMITS,
    *,
    base: Path | None = None,
    size_hint: int | None = None,
    frames: int = DEFAULT_FRAMES,
) -> list[Image.Image]:
    """Returns the frames of `read_image`: one RGB image, or several of an animation."""
    return read_image(source, DecodeOptions(limits, size_hint, frames), base=base).frames


def thumbnail(source: ImageSource, base: Path | None = None, limits: ImageLimits = DEFAULT_LIMITS) -> str:
    """Returns a `data:` URL of a JPEG of at most 360 by 270 pixels: the first frame of the image."""
    frame = decode(source, limits, base=base or Path.cwd(), size_hint=max(THUMBNAIL_SIZE), frames=1)[0]
    frame = frame.copy() if frame is source else frame  # which is the caller's
    return data_url(to_jpeg(frame, THUMBNAIL_SIZE), "image/jpeg")


def to_jpeg(image: Image.Image, size: tuple[int, int], quality: int = 80) -> bytes:
    """Returns an RGB image as a JPEG file; shrinks the image itself where it is larger than `size`."""
    image.thumbnail(size)
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()


def _renew_locks() -> None:
    _LOCKS[:] = [Lock() for _ in _LOCKS]


in_forks(_renew_locks)


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
    check_size((shape[1], shape[0]), "the array", limits)
    plane = array[..., 0] if shape[2:] == (1,) else array
    return Image.fromarray(np.ascontiguousarray(plane))
