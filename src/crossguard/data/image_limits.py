"""How large and how costly an image may be; checked before its pixels are decoded."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

MEBI: Final = 1024 * 1024


@dataclass(frozen=True, slots=True)
class ImageLimits:
    """Caps that keep one hostile file from taking the machine. docs/reference/limits.md lists them.

    Attributes:
        max_bytes: Size of the encoded file.
        max_pixels: Width times height of a still image, or of one frame.
        max_side: Width and height. No JPEG or GIF can have more.
        max_decoded_bytes: Memory that decoding takes at its peak: pixels times bytes per pixel, over all copies.
        max_scans: Scans of a progressive JPEG. Encoders write about ten.
        max_frames: Frames of an animation. A longer one is refused, because hate may be hidden in any frame.
        max_animation_pixels: Width times height times frames, because reaching a late frame decodes those before it.
        max_seconds: Time to decode an image in a process of its own, which is killed then.
    """

    max_bytes: int = 32 * MEBI
    max_pixels: int = 64_000_000
    max_side: int = 65_535
    max_decoded_bytes: int = 300 * MEBI
    max_scans: int = 100
    max_frames: int = 1_000
    max_animation_pixels: int = 512_000_000
    max_seconds: float = 10.0
