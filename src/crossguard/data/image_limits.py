"""How large a picture may be; checked before its pixels are decoded."""

from __future__ import annotations

from dataclasses import dataclass

MEBI = 1024 * 1024


@dataclass(frozen=True, slots=True)
class ImageLimits:
    """Caps that keep one hostile file from taking the machine.

    Attributes:
        max_bytes: Size of the encoded file.
        max_pixels: Width times height of a still picture, or of one frame.
        max_frames: Frames of an animation. A longer one is refused, not cut: what its author hides at the end counts.
        max_animation_pixels: Width times height times frames, because reaching a late frame decodes those before it.
    """

    max_bytes: int = 32 * MEBI
    max_pixels: int = 64_000_000
    max_frames: int = 1_000
    max_animation_pixels: int = 512_000_000
