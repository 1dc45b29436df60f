"""Image files that once took gigabytes or minutes, each a few kilobytes to a few megabytes, made when asked for."""

from __future__ import annotations

import struct
import zlib

from PIL import Image
from tests.support.pictures import encoded

PNG = b"\x89PNG\r\n\x1a\n"


def chunk(kind: bytes, body: bytes = b"") -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png(width: int, height: int, depth: int = 8, colour: int = 0, *, extra: bytes = b"") -> bytes:
    """A black PNG, packed row by row."""
    packer = zlib.compressobj(9)
    row = bytes(1 + -(-width * depth * {0: 1, 6: 4}[colour] // 8))
    rows = max(1, (1 << 20) // len(row))
    body = b"".join(packer.compress(row * min(rows, height - start)) for start in range(0, height, rows))
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    return PNG + chunk(b"IHDR", header) + extra + chunk(b"IDAT", body + packer.flush()) + chunk(b"IEND")


def float_tiff(side: int) -> bytes:
    """A square of 32-bit floats, deflated in one strip."""
    packer = zlib.compressobj(9)
    strip = b"".join(packer.compress(bytes(4 * side)) for _ in range(side)) + packer.flush()
    tags = {256: side, 257: side, 258: 32, 259: 8, 262: 1, 273: 8, 277: 1, 278: side, 279: len(strip), 339: 3}
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags.items())
    return b"II*\0" + struct.pack("<I", 8 + len(strip)) + strip + struct.pack("<H", len(tags)) + entries + bytes(4)


def gif(canvas: int, frame: int, count: int = 1) -> bytes:
    """A GIF whose frames need not fit its header."""
    head = b"GIF89a" + struct.pack("<HH", canvas, canvas) + b"\x80\0\0" + bytes(6)
    return head + (b"," + struct.pack("<HHHH", 0, 0, frame, frame) + b"\0\x02\x02\x44\x01\0") * count + b";"


def many_scans(side: int, scans: int) -> bytes:
    """A progressive JPEG whose last pass over all blocks is repeated: a few bytes each."""
    plain = encoded(Image.new("RGB", (side, side)), "JPEG", progressive=True)
    last = plain.rfind(b"\xff\xda")
    return plain[:-2] + plain[last:-2] * scans + plain[-2:]


def cut_jpeg() -> bytes:
    """Half a JPEG, with a proper end put behind it."""
    whole = encoded(Image.effect_noise((400, 300), 90).convert("RGB"), "JPEG")
    return whole[: len(whole) // 2].removesuffix(b"\xff") + b"\xff\xd9"


def hostile_images() -> dict[str, tuple[bytes, set[str]]]:
    """Returns files by name, with the codes that may be recorded; `scored` where the image is fine after all."""
    jpeg = encoded(Image.new("RGB", (64, 64)), "JPEG")
    profile = zlib.compress(bytes(200_000_000), 1)
    slow = {"image_timed_out", "image_needs_memory", "scored"}
    return {
        "wide.png": (png(64_000_000, 1, 1), {"image_side_too_long"}),
        "tall.png": (png(1, 64_000_000, 1), {"image_side_too_long"}),
        "long.png": (png(65_535, 1, 1), {"scored"}),
        "longer.png": (png(100_000, 1), {"image_side_too_long"}),
        "strip.png": (png(20_000, 1, 1), {"scored"}),
        "rgba.png": (png(8_000, 8_000, 8, 6), {"image_needs_memory"}),
        "deep.png": (png(8_000, 8_000, 16), {"image_needs_memory"}),
        "profile.png": (png(8, 8, extra=chunk(b"iCCP", b"x\0\0" + profile)), {"scored"}),
        "chunks.png": (png(8, 8, extra=chunk(b"teXt") * 700_000), slow),
        "float.tiff": (float_tiff(8_000), {"image_needs_memory"}),
        "frame.gif": (gif(1, 13_000), {"image_too_many_pixels"}),
        "frames.gif": (gif(4, 1, 1_000_000), {"image_too_many_frames"}),
        "grows.gif": (gif(1, 1, 5)[:-1] + gif(1, 60_000)[19:], {"image_too_many_pixels"}),
        "scans.jpg": (many_scans(2_000, 5_000), {"image_too_many_scans"}),
        "slow.jpg": (many_scans(6_000, 80), slow),
        "segments.jpg": (jpeg[:2] + b"\xff\xe5\0\2" * 2_000_000 + jpeg[2:], slow),
        "cut.jpg": (cut_jpeg(), {"image_truncated"}),
        "large.webp": (
            encoded(Image.new("RGB", (7_000, 7_000)), "WEBP", lossless=True, method=0),
            {"image_needs_memory"},
        ),
    }
