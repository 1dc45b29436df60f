"""How many frames a picture has, and which of them are looked at."""

from __future__ import annotations

from PIL import Image

from crossguard.data.image_limits import ImageLimits
from crossguard.errors import ImageError

# Pages of a TIFF and second pictures of a JPEG (MPO) or HEIC are no animation: viewers show the first.
_ANIMATED_FORMATS = frozenset({"GIF", "WEBP", "PNG", "AVIF"})
_GIF_HEADER = 13
_EXTENSION, _IMAGE = 0x21, 0x2C


def frame_count(image: Image.Image, encoded: bytes | None, limits: ImageLimits) -> int:
    """Returns how many frames an opened picture shows.

    Args:
        image: The picture, opened and not yet decoded.
        encoded: Its file, if at hand. Pillow walks a GIF to its end to count frames; this walk stops at the limit.
        limits: `max_frames` and `max_animation_pixels`.

    Raises:
        ImageError: `image_too_many_frames` or `image_too_many_pixels`.
    """
    if image.format not in _ANIMATED_FORMATS:
        return 1
    if image.format == "GIF" and encoded is not None:
        frames = _gif_frames(encoded, limits.max_frames + 1)
    else:
        frames = int(getattr(image, "n_frames", 1))
    if frames > limits.max_frames:
        raise ImageError("image_too_many_frames", f"An animation may have {limits.max_frames:,} frames; this has more.")
    pixels = image.width * image.height * frames
    if frames > 1 and pixels > limits.max_animation_pixels:
        raise ImageError(
            "image_too_many_pixels",
            f"An animation may have {limits.max_animation_pixels:,} pixels over all frames; "
            f"this has {pixels:,} ({image.width} x {image.height} x {frames}).",
        )
    return max(frames, 1)


def sampled(frames: int, wanted: int) -> list[int]:
    """Returns up to `wanted` evenly spaced frame numbers, the first and the last among them."""
    if wanted <= 1 or frames <= 1:
        return [0]
    return sorted({round(step * (frames - 1) / (wanted - 1)) for step in range(wanted)})


def _gif_frames(data: bytes, stop: int) -> int:
    """Counts the image blocks of a GIF (GIF89a specification, section 18 on) until `stop`, or its broken end."""
    if len(data) < _GIF_HEADER:
        return 1
    at = _GIF_HEADER + _colour_table(data[10])
    frames = 0
    while at + 10 < len(data) and frames < stop:
        if data[at] == _EXTENSION:
            at = _after_blocks(data, at + 2)
        elif data[at] == _IMAGE:
            frames += 1
            at = _after_blocks(data, at + 11 + _colour_table(data[at + 9]))
        else:
            break
    return frames


def _colour_table(flags: int) -> int:
    """Bytes of the colour table that a GIF's flags announce."""
    return 3 << ((flags & 7) + 1) if flags & 0x80 else 0


def _after_blocks(data: bytes, at: int) -> int:
    """Position after a chain of length-prefixed blocks; the end of the data when the chain is cut."""
    while at < len(data) and data[at]:
        at += data[at] + 1
    return at + 1
