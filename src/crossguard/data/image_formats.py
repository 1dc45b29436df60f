"""Which kinds of files are pictures, and what a file that is none looks like."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from crossguard.errors import ImageError

if TYPE_CHECKING:
    from PIL.Image import Image

# Pillow knows many more formats; each is a parser that strangers could reach. JPEG includes MPO.
FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF")

# File names that a folder of pictures is searched for.
SUFFIXES = frozenset(
    {".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".apng", ".webp", ".gif", ".bmp", ".dib", ".tif", ".tiff", ".avif"}
    | {".avifs", ".heic", ".heif", ".mpo"}
)

_HEIF_BRANDS = frozenset({b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx"})
_LOOKS = {
    b"<svg": "an SVG drawing",
    b"<?xml": "an XML file",
    b"<!doctype": "a web page",
    b"<html": "a web page",
    b"%pdf": "a PDF",
    b"\x1ae\xdf\xa3": "a video",
    b"pk\x03\x04": "a zip archive",
    b"version https://git-lfs": "a Git LFS pointer (run `git lfs pull`)",
}


def is_heif(encoded: bytes) -> bool:
    """Whether an ISO media file (`ftyp` box first) names a brand of HEVC pictures; AVIF is Pillow's."""
    if not _is_iso_media(encoded):
        return False
    end = min(int.from_bytes(encoded[:4], "big"), 256)
    brands = {encoded[at : at + 4] for at in (8, *range(16, end, 4))}
    return bool(brands & _HEIF_BRANDS) and b"avif" not in brands


def open_heif(encoded: bytes) -> Image:
    """Opens the primary picture of a HEIC file; pixels are decoded later.

    Raises:
        ImageError: `image_needs_extra` where the decoder is not installed.
    """
    try:
        import pi_heif
    except ImportError:
        message = "HEIC pictures need an optional part. Install it with: pip install 'crossguard[heif]'"
        raise ImageError("image_needs_extra", message) from None
    image: Image = pi_heif.HeifImageFile(io.BytesIO(encoded))
    return image


def looks_like(encoded: bytes) -> str:
    """Returns `"; it looks like a web page"` for bytes that are no picture, or nothing where no guess is safe."""
    start = encoded[:64].lstrip().lower()
    if _is_iso_media(encoded):
        return "; it looks like a video"
    return next((f"; it looks like {kind}" for magic, kind in _LOOKS.items() if start.startswith(magic)), "")


def _is_iso_media(encoded: bytes) -> bool:
    return encoded[4:8] == b"ftyp"
