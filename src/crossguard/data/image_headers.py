"""What the header of an image file says before anything is decoded: its size, frames and passes.

Only what decides about cost is read, in a bounded number of steps. Decoding itself is left to Pillow.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from crossguard.data.image_formats import GIF, JPEG, PNG

# Files with more parts than these are legal, and walking them takes long: they are left to a process with a deadline.
JPEG_SEGMENTS: Final = 256
PNG_CHUNKS: Final = 5_000
GIF_BLOCKS: Final = 50_000
# Text and colour profiles of a PNG beyond this are of no use to us, and Pillow refuses the file for them.
_PNG_TEXT: Final = 64 * 1024


@dataclass(frozen=True, slots=True)
class Header:
    """What decoding an image will cost at most."""

    kind: str
    width: int  # of the canvas that all frames fit on, in pixels
    height: int
    frames: int = 1  # at most how many frames there are
    scans: int = 1  # at most how many passes over all pixels there are; 1 where the first pass is the only one
    coefficients: float = 0.0  # bytes per pixel that are kept between passes
    scan: int = 0  # where the first pass begins in a JPEG; its thumbnail, a JPEG itself, lies before that

    @property
    def pixels(self) -> int:
        """Pixels over all frames."""
        return self.width * self.height * self.frames


def read_header(encoded: bytes, max_frames: int) -> Header | None:
    """Returns what a JPEG, PNG, GIF or WebP file says; None where that is not found out in a bounded time.

    The frames of a GIF are counted up to `max_frames` and one.
    """
    with suppress(IndexError):  # cut inside its header
        if encoded.startswith(JPEG):
            return _jpeg(encoded)
        if encoded.startswith(PNG):
            return _png(encoded)
        if encoded.startswith(GIF):
            return gif_header(encoded, max_frames, GIF_BLOCKS)
        if encoded.startswith(b"RIFF") and encoded[8:12] == b"WEBP":
            return _webp(encoded)
    return None


def without_bulk(encoded: bytes) -> bytes:
    """Returns a PNG without its colour profile and long texts; the same object where there are none."""
    if not encoded.startswith(PNG):
        return encoded
    kept, start, at, size = [], 0, len(PNG), len(encoded)
    while at + 8 <= size:
        end = at + 12 + int.from_bytes(encoded[at : at + 4], "big")
        if end <= size and _is_bulk(encoded[at + 4 : at + 8], encoded, at + 8, end - 4):
            kept.append(encoded[start:at])
            start = end
        at = end
    return b"".join((*kept, encoded[start:])) if kept else encoded


def gif_header(data: bytes, max_frames: int, max_blocks: int) -> Header | None:
    """Reads the sizes of all frames of a GIF (GIF89a specification, section 18 on), up to its broken end.

    Returns:
        The size that all frames fit into: a frame may be larger than the file's header says, and Pillow follows it.
        None where there are more than `max_blocks` blocks.
    """
    if len(data) < 13:  # noqa: PLR2004 - the length of the header
        return None
    width, height = _u16(data, 6), _u16(data, 8)
    at, frames, blocks = 13 + _colour_table(data[10]), 0, 0
    while at + 10 < len(data) and frames <= max_frames:
        if blocks > max_blocks:
            return None
        if data[at] == 0x21:  # noqa: PLR2004 - an extension
            at, passed = _after_blocks(data, at + 2, max_blocks - blocks)
        elif data[at] == 0x2C:  # noqa: PLR2004 - an image
            frames += 1
            width = max(width, _u16(data, at + 1) + _u16(data, at + 5))
            height = max(height, _u16(data, at + 3) + _u16(data, at + 7))
            # Image data of any length are passed over: 255 bytes a step.
            at, passed = _after_blocks(data, at + 11 + _colour_table(data[at + 9]), len(data))
            passed = 0
        else:
            break
        blocks += 1 + passed
    return Header("GIF", width, height, max(frames, 1))


def _jpeg(data: bytes) -> Header | None:
    at, frame = 2, None
    for _ in range(JPEG_SEGMENTS):
        if data[at] != 0xFF:  # noqa: PLR2004 - the first byte of every marker
            return None
        marker = data[at + 1]
        if marker == 0xFF:  # noqa: PLR2004 - a fill byte
            at += 1
        elif marker == 0x01 or 0xD0 <= marker <= 0xD8:  # noqa: PLR2004 - markers without a body
            at += 2
        elif marker == 0xDA:  # noqa: PLR2004 - start of scan
            return None if frame is None else _jpeg_header(data, frame, at)
        else:
            if 0xC0 <= marker <= 0xCF and marker not in {0xC4, 0xC8, 0xCC}:  # noqa: PLR2004 - start of frame
                frame = at
            at += 2 + _u16_big(data, at + 2)
    return None


def _jpeg_header(data: bytes, frame: int, scan: int) -> Header:
    height, width, components = _u16_big(data, frame + 5), _u16_big(data, frame + 7), data[frame + 9]
    factors = [(data[frame + 11 + 3 * i] >> 4, data[frame + 11 + 3 * i] & 15) for i in range(components)]
    if data[frame + 1] in {0xC0, 0xC1} and data[scan + 4] == components:
        return Header("JPEG", width, height, scan=scan)
    largest = max(h for h, _ in factors) * max(v for _, v in factors)
    coefficients = 2.0 * sum(h * v for h, v in factors) / max(largest, 1)
    # No scan can begin without these two bytes, so there are at most as many.
    return Header("JPEG", width, height, 1, data.count(b"\xff\xda", scan), coefficients, scan)


def _png(data: bytes) -> Header | None:
    width, height = int.from_bytes(data[16:20], "big"), int.from_bytes(data[20:24], "big")
    at, frames = len(PNG), 1
    for _ in range(PNG_CHUNKS):
        kind = data[at + 4 : at + 8]
        if kind in {b"", b"IEND"}:
            return Header("PNG", width, height, frames)
        if kind == b"acTL":
            frames = max(frames, int.from_bytes(data[at + 8 : at + 12], "big"))
        at += 12 + int.from_bytes(data[at : at + 4], "big")
    return None


def _webp(data: bytes) -> Header | None:
    kind = data[12:16]
    if kind == b"VP8 ":
        return Header("WEBP", _u16(data, 26) & 0x3FFF, _u16(data, 28) & 0x3FFF)
    if kind == b"VP8L":
        bits = int.from_bytes(data[21:25], "little")
        return Header("WEBP", (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1)
    if kind == b"VP8X":
        width, height = (1 + int.from_bytes(data[at : at + 3], "little") for at in (24, 27))
        return Header("WEBP", width, height, max(1, data.count(b"ANMF")) if data[20] & 2 else 1)
    return None


def _is_bulk(kind: bytes, data: bytes, start: int, end: int) -> bool:
    if kind in {b"iCCP", b"zTXt"}:
        return True
    if kind == b"iTXt":
        keyword = data.find(b"\0", start, end)
        return end - start > _PNG_TEXT or data[keyword + 1] != 0  # compressed: a few bytes may stand for millions
    return kind == b"tEXt" and end - start > _PNG_TEXT


def _colour_table(flags: int) -> int:
    """Bytes of the colour table that a GIF's flags announce."""
    return 3 << ((flags & 7) + 1) if flags & 0x80 else 0


def _after_blocks(data: bytes, at: int, most: int) -> tuple[int, int]:
    """Position after a chain of length-prefixed blocks (the end of the data when it is cut), and how many they were."""
    passed = 0
    while at < len(data) and data[at] and passed <= most:
        at += data[at] + 1
        passed += 1
    return at + 1, passed


def _u16(data: bytes, at: int) -> int:
    return data[at] | data[at + 1] << 8


def _u16_big(data: bytes, at: int) -> int:
    return data[at] << 8 | data[at + 1]
