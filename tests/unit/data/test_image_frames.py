"""Which frames of an animation are looked at."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image, ImageChops, ImageDraw
from tests.support.pictures import encoded, halves, reason

from crossguard.data.image_decoding import DecodeOptions
from crossguard.data.images import decode, read_image


def greys(kind: str, *shades: int) -> bytes:
    """An animation of one grey per frame."""
    frames = [Image.new("RGB", (16, 16), (shade,) * 3) for shade in shades]
    # Pillow joins equal frames unless each has its own duration.
    durations = [50 + 10 * (index % 2) for index in range(len(frames))]
    return encoded(frames[0], kind, save_all=True, append_images=frames[1:], duration=durations)


class TestAnimations:
    @pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG", "AVIF"])
    def test_frames_of_a_fade_span_it(self, kind: str) -> None:
        frames = decode(greys(kind, *range(0, 200, 20)), frames=4)
        assert [frame.mode for frame in frames] == ["RGB"] * 4
        seen = [int(np.asarray(frame)[8, 8, 0]) for frame in frames]
        assert seen == sorted(seen)
        assert (seen[0], seen[-1]) == pytest.approx((0, 180), abs=6)
        assert np.diff(seen).min() >= 30

    @pytest.mark.parametrize("place", [1, 17, 48])
    def test_a_frame_that_differs_is_looked_at_wherever_it_stands(self, place: int) -> None:
        shades = [100 + index % 7 for index in range(50)]
        shades[place] = 250
        seen = [int(np.asarray(frame)[8, 8, 0]) for frame in decode(greys("PNG", *shades), frames=4)]
        assert max(seen) == 250

    def test_a_line_of_words_is_a_difference(self) -> None:
        frames = [Image.effect_noise((320, 240), 20).convert("RGB")] * 30
        shown = frames[0].copy()
        ImageDraw.Draw(shown).text((90, 200), "A LINE OF WORDS", fill="white")
        noisy = [ImageChops.offset(frame, index % 3) for index, frame in enumerate(frames)]
        noisy[11] = shown
        data = encoded(noisy[0], "PNG", save_all=True, append_images=noisy[1:])
        assert any(frame.tobytes() == shown.tobytes() for frame in decode(data, frames=4))

    def test_frames_that_are_equal_are_looked_at_once(self) -> None:
        options = DecodeOptions(frames=4)
        still = read_image(greys("PNG", 10, 10, 200, 10, 200), options)
        assert [frame.getpixel((0, 0)) for frame in still.frames] == [(10, 10, 10), (200, 200, 200)]
        assert not still.sampled
        assert read_image(greys("PNG", 10, 30, 50, 70, 90), options).sampled

    def test_one_frame_is_the_first(self) -> None:
        pictures = [Image.new("L", (8, 8), grey) for grey in (10, 200)]
        data = encoded(pictures[0], "GIF", save_all=True, append_images=pictures[1:])
        assert decode(data, frames=1)[0].getpixel((0, 0)) == (10, 10, 10)

    def test_pil_animation_stays_where_it_was(self) -> None:
        pictures = [Image.new("L", (8, 8), grey) for grey in (10, 100, 200)]
        opened = Image.open(io.BytesIO(encoded(pictures[0], "GIF", save_all=True, append_images=pictures[1:])))
        opened.seek(1)
        assert len(decode(opened)) == 3
        assert opened.tell() == 1

    def test_pages_of_a_tiff_are_no_animation(self) -> None:
        data = encoded(halves(), "TIFF", save_all=True, append_images=[Image.new("RGB", (9, 9))])
        assert [frame.size for frame in decode(data)] == [(64, 32)]

    def test_cut_animation(self) -> None:
        rng = np.random.default_rng(0)
        pictures = [Image.fromarray(rng.integers(0, 255, (32, 32), dtype=np.uint8)) for _ in range(6)]
        data = encoded(pictures[0], "PNG", save_all=True, append_images=pictures[1:])
        assert reason(data[: len(data) // 2]) in {"image_truncated", "image_broken"}
