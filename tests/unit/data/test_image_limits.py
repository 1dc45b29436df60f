"""The caps of images fit each other."""

from __future__ import annotations

from dataclasses import fields

from crossguard.data.image_limits import MEBI, ImageLimits


def test_an_image_at_the_limit_of_pixels_fits_the_memory_with_transparency() -> None:
    limits = ImageLimits()
    assert 4 * limits.max_pixels <= limits.max_decoded_bytes
    assert 3 * limits.max_pixels > limits.max_bytes, "a file is smaller than what it holds"


def test_a_short_animation_may_have_large_frames_and_a_long_one_small_frames() -> None:
    limits = ImageLimits()
    assert limits.max_pixels * 4 <= limits.max_animation_pixels
    assert limits.max_frames * 512 * 512 <= limits.max_animation_pixels


def test_every_cap_is_positive_and_none_can_be_changed_by_accident() -> None:
    limits = ImageLimits(max_bytes=2 * MEBI)
    assert all(getattr(limits, field.name) > 0 for field in fields(limits))
    assert limits.__dataclass_params__.frozen  # type: ignore[attr-defined]  # of every dataclass
