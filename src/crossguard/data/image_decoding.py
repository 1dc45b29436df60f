"""Encoded bytes to RGB frames in this process, after every bound that the file's header allows to check.

Pillow decodes. Its scaled JPEG decoding (`size_hint`) takes 0.65 ms for a 500-pixel image, simplejpeg's 0.59 ms, and
exact decoding 1.0 ms (one core, 24 images of MMHS150K), so a second JPEG library would not earn its place.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final

from PIL import Image, ImageChops, UnidentifiedImageError

from crossguard.data.image_formats import FORMATS, is_heif, looks_like
from crossguard.data.image_frames import FrameChoice
from crossguard.data.image_headers import Header, gif_header, read_header, without_bulk
from crossguard.data.image_limits import ImageLimits
from crossguard.data.image_modes import bytes_per_pixel, to_rgb
from crossguard.errors import CrossguardError, ImageError, pip
from crossguard.preprocessing.resize import Square

DEFAULT_FRAMES: Final = 4
# Pages of a TIFF and second images of a JPEG (MPO) or HEIC are no animation: viewers show the first.
_ANIMATED_FORMATS: Final = frozenset({"GIF", "WEBP", "PNG", "AVIF"})
# Bytes per pixel that decoders keep beside the image: measured at 9 megapixels, rounded up.
_DECODER_BYTES: Final = {"WEBP": 14, "AVIF": 10, "HEIF": 10, "TIFF": 6}
# What is kept to compose an animation: the canvas, the one before it, what is restored, and a copy.
_ANIMATION_BYTES: Final = 16
# libjpeg smooths the grey of a cut progressive JPEG with what stands beside it.
_GREY: Final = range(120, 137)
# How an image is turned upright, by the number of its orientation in EXIF; 1 is upright.
_TURNS: Final = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


@dataclass(frozen=True, slots=True)
class DecodeOptions:
    """How an image is decoded."""

    limits: ImageLimits = field(default_factory=ImageLimits)
    # Pixels of width and height that the caller will shrink to. A JPEG is then decoded at the smallest scale of 1/8,
    # 1/4, 1/2 and 1 that leaves at least that many. None is exact.
    size_hint: int | None = None
    frames: int = DEFAULT_FRAMES  # at most how many frames of an animation are returned: those that differ most
    square: Square | None = None  # what is made of each frame at once; None leaves them as they are

    def shaped(self, frame: Image.Image) -> Image.Image:
        """Returns a frame as a square where that is wanted."""
        return frame if self.square is None else self.square.apply(frame)


@dataclass(frozen=True, slots=True)
class DecodedImage:
    """What is seen in an image."""

    frames: list[Image.Image]  # RGB; one, or several of an animation
    sampled: bool = False  # whether the animation shows more than these frames


def decode_bytes(encoded: bytes, name: str, options: DecodeOptions) -> DecodedImage:
    """Decodes an image file.

    Raises:
        ImageError: With one of the codes in docs/reference/error-codes.md.
    """
    with _told(name):
        encoded = without_bulk(encoded)
        image = _opened(encoded, name, options.limits)
        if options.size_hint is not None and image.format in {"JPEG", "MPO"}:
            image.draft(None, (options.size_hint, options.size_hint))
        return _decoded(image, encoded, name, options)


def decode_opened(image: Image.Image, name: str, options: DecodeOptions) -> DecodedImage:
    """Decodes an image that Pillow has opened; arguments and errors as for `decode_bytes`."""
    with _told(name):
        return _decoded(image, None, name, options)


def check_size(size: tuple[int, int], name: str, limits: ImageLimits) -> None:
    """Checks width and height.

    Raises:
        ImageError: `image_too_many_pixels` or `image_side_too_long`.
    """
    width, height = size
    if width < 1 or height < 1:
        raise ImageError("image_broken", f"{name} has no pixels: {width} x {height}.")
    if width * height > limits.max_pixels:
        raise ImageError(
            "image_too_many_pixels", f"An image may have {limits.max_pixels:,} pixels; {name} has {width} x {height}."
        )
    if max(width, height) > limits.max_side:
        raise ImageError(
            "image_side_too_long",
            f"An image may be {limits.max_side:,} pixels wide and high; {name} has {width} x {height}.",
        )


@contextmanager
def _told(name: str) -> Iterator[None]:
    """Turns whatever parsers of hostile bytes raise into an `ImageError`."""
    try:
        yield
    except CrossguardError:
        raise
    except MemoryError:
        raise ImageError("image_needs_memory", f"There is not enough memory to decode {name}.") from None
    except Exception as error:  # noqa: BLE001 - see above
        raise _broken(name, error) from None


def _opened(encoded: bytes, name: str, limits: ImageLimits) -> Image.Image:
    try:
        image = _open_heif(encoded) if is_heif(encoded) else Image.open(io.BytesIO(encoded), formats=FORMATS)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise ImageError(
            "image_too_many_pixels", f"An image may have {limits.max_pixels:,} pixels; {name} has far more."
        ) from None
    except UnidentifiedImageError:
        raise ImageError(
            "image_not_an_image",
            f"Not an image that can be read: {name}{looks_like(encoded)}. "
            "Readable: JPEG, PNG, WebP, GIF, BMP, TIFF, AVIF, and HEIC with crossguard[heif].",
        ) from None
    check_size(image.size, name, limits)
    return image


def _open_heif(encoded: bytes) -> Image.Image:
    try:
        import pi_heif
    except ImportError:
        message = f"HEIC images need an optional part. Install it with: {pip()} install 'crossguard[heif]'"
        raise ImageError("image_needs_extra", message) from None
    image: Image.Image = pi_heif.HeifImageFile(io.BytesIO(encoded))
    return image


def _decoded(image: Image.Image, encoded: bytes | None, name: str, options: DecodeOptions) -> DecodedImage:
    limits = options.limits
    check_size(image.size, name, limits)
    header = None if encoded is None else read_header(encoded, limits.max_frames)
    frames = _frame_count(image, encoded, name, limits)
    animated = frames > 1 and options.frames > 1
    kept = 0 if not animated else _ANIMATION_BYTES + (4 * (options.frames + 1) if options.square is None else 0)
    _check_cost(image, header, name, limits, kept)
    if animated:
        return _animation(image, frames, name, options)
    image.load()
    if header is not None and header.kind == "JPEG" and encoded is not None and _ends_early(image, header, encoded):
        raise ImageError("image_truncated", f"The image ends too early: {name}.")
    if (turn := _turn(image)) is not None:  # asked only now, as Pillow decodes a PNG to know
        _check_cost(image, header, name, limits, 4)
        image = image.transpose(turn)
    return DecodedImage([options.shaped(to_rgb(image))], sampled=frames > 1)


def _frame_count(image: Image.Image, encoded: bytes | None, name: str, limits: ImageLimits) -> int:
    """How many frames an opened image shows. Pillow walks a GIF to its end; here that ends at the limit."""
    if image.format not in _ANIMATED_FORMATS:
        return 1
    size = image.size
    if image.format == "GIF" and encoded is not None:
        header = gif_header(encoded, limits.max_frames, len(encoded))
        frames = 1 if header is None else header.frames
        # A frame may be larger than the header of its file says.
        size = size if header is None else (header.width, header.height)
        check_size(size, name, limits)
    else:
        frames = max(1, int(getattr(image, "n_frames", 1)))
    if frames > limits.max_frames:
        raise ImageError(
            "image_too_many_frames", f"An animation may have {limits.max_frames:,} frames; {name} has more."
        )
    pixels = size[0] * size[1] * frames
    if frames > 1 and pixels > limits.max_animation_pixels:
        raise ImageError(
            "image_too_many_pixels",
            f"An animation may have {limits.max_animation_pixels:,} pixels over all frames; "
            f"{name} has {pixels:,} ({size[0]} x {size[1]} x {frames}).",
        )
    return frames


def _check_cost(image: Image.Image, header: Header | None, name: str, limits: ImageLimits, copies: int) -> None:
    """Compares the memory at the peak with its bound; `copies` are bytes per pixel beside decoding and `to_rgb`."""
    per_pixel = bytes_per_pixel(image) + _DECODER_BYTES.get(image.format or "", 0) + copies
    size, kept = image.size, 0.0
    if header is not None:
        if header.scans > limits.max_scans:
            raise ImageError(
                "image_too_many_scans",
                f"A progressive JPEG may have {limits.max_scans} scans; {name} has up to {header.scans:,}.",
            )
        kept = header.coefficients * header.width * header.height
        size = size if header.kind == "JPEG" else (header.width, header.height)
    needed = size[0] * size[1] * per_pixel + kept
    if needed > limits.max_decoded_bytes:
        raise ImageError(
            "image_needs_memory",
            f"An image may take {limits.max_decoded_bytes:,} bytes to decode; {name} would take "
            f"{int(needed):,} ({size[0]} x {size[1]}, {image.format or 'array'}, {image.mode}).",
        )


def _animation(image: Image.Image, frames: int, name: str, options: DecodeOptions) -> DecodedImage:
    choice = FrameChoice(options.frames, options.shaped)
    shown = image.tell()
    for number in range(frames):
        image.seek(number)
        check_size(image.size, name, options.limits)
        frame = to_rgb(image.copy())
        frame.info = {}
        choice.offer(frame)
    image.seek(shown)  # a PIL image belongs to the caller
    return DecodedImage(choice.frames, sampled=choice.left_out)


def _turn(image: Image.Image) -> Image.Transpose | None:
    """How the EXIF data turn or mirror the image; unreadable EXIF data turn nothing.

    `ImageOps.exif_transpose` does the same, but fails where it cannot write all other EXIF data anew.
    """
    try:
        return _TURNS.get(image.getexif().get(0x0112, 1))
    except Exception:  # noqa: BLE001 - parsers of hostile bytes raise anything
        return None


def _ends_early(image: Image.Image, header: Header, encoded: bytes) -> bool:
    """Whether the data of a JPEG with a proper end are too few; libjpeg fills the rest with grey and says nothing.

    Only a JPEG whose last pixel is grey is looked at twice: with more data before its end, what was missing changes,
    and what was complete does not.
    """
    corner = image.getpixel((image.width - 1, image.height - 1))
    if any(value not in _GREY for value in (corner if isinstance(corner, tuple) else (corner,))):
        return False
    last = header.scan if header.scans == 1 else encoded.rfind(b"\xff\xda")
    end = encoded.find(b"\xff\xd9", last)
    if end < 0:
        return False
    end = len(encoded[:end].rstrip(b"\xff"))  # before a marker, any number of these may fill up
    more = encoded[:end] + bytes(37 * i % 251 for i in range(1, 64)) + encoded[end:]
    with Image.open(io.BytesIO(encoded)) as before, Image.open(io.BytesIO(more)) as after:
        for small in (before, after):
            small.draft(None, (1, 1))
        return ImageChops.difference(before, after).getbbox() is not None


def _broken(name: str, error: Exception) -> ImageError:
    text = str(error)
    if "truncated" in text.lower() or isinstance(error, EOFError):
        return ImageError("image_truncated", f"The image ends too early: {name}.")
    detail = text.splitlines()[0] if text else type(error).__name__
    return ImageError("image_broken", f"The image cannot be decoded: {name} ({detail}).")
