"""Which format an image file has, by its name and its first bytes."""

from __future__ import annotations

from typing import Final

# Pillow knows many more formats; each is a parser that strangers could reach. JPEG includes MPO.
FORMATS: Final = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF")

# File names that a folder of images is searched for.
SUFFIXES: Final = frozenset(
    {".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".apng", ".webp", ".gif", ".bmp", ".dib", ".tif", ".tiff", ".avif"}
    | {".avifs", ".heic", ".heif", ".mpo"}
)

_HEIF_BRANDS: Final = frozenset({b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx"})
# How files begin.
JPEG: Final = b"\xff\xd8\xff"
PNG: Final = b"\x89PNG\r\n\x1a\n"
GIF: Final = (b"GIF87a", b"GIF89a")
_SIGNATURES: Final = (JPEG, PNG, *GIF, b"RIFF", b"BM", b"II", b"MM")
_LOOKS: Final = {
    b"<svg": "an SVG drawing",
    b"<?xml": "an XML file",
    b"<!doctype": "a web page",
    b"<html": "a web page",
    b"%pdf": "a PDF",
    b"\x1ae\xdf\xa3": "a video",
    b"pk\x03\x04": "a zip archive",
    b"version https://git-lfs": "a Git LFS pointer (run `git lfs pull`)",
}


def has_signature(encoded: bytes) -> bool:
    """Whether the first bytes are those of a format that is decoded."""
    return encoded.startswith(_SIGNATURES) or _is_iso_media(encoded)


def is_heif(encoded: bytes) -> bool:
    """Whether an ISO media file (`ftyp` box first) names a brand of HEVC images; AVIF is Pillow's."""
    if not _is_iso_media(encoded):
        return False
    end = min(int.from_bytes(encoded[:4], "big"), 256)
    brands = {encoded[at : at + 4] for at in (8, *range(16, end, 4))}
    return bool(brands & _HEIF_BRANDS) and b"avif" not in brands


def looks_like(encoded: bytes) -> str:
    """Returns `"; it looks like a web page"` for bytes that are no image, or nothing where no guess is safe."""
    start = encoded[:64].lstrip().lower()
    if _is_iso_media(encoded):
        return "; it looks like a video"
    return next((f"; it looks like {kind}" for magic, kind in _LOOKS.items() if start.startswith(magic)), "")


def _is_iso_media(encoded: bytes) -> bool:
    return encoded[4:8] == b"ftyp"
