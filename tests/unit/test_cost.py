from __future__ import annotations

import pytest

from crossguard.cost import TEXT_BYTES, cost_of


@pytest.mark.parametrize(
    ("text", "image_text", "images", "cost"),
    [
        ("", "", 0, 1),
        ("hello", "", 1, 1),
        ("a" * TEXT_BYTES, "", 0, 1),
        ("a" * TEXT_BYTES, "b", 0, 2),
        ("\ufdfa" * TEXT_BYTES, "", 0, 3),
        ("\ud800" * TEXT_BYTES, "", 0, 3),
        ("a" * 1_000_000, "", 0, 32),
        ("", "", 8, 8),
        ("a" * 1_000_000, "", 8, 39),
    ],
)
def test_a_post_costs_what_it_takes_to_score(text: str, image_text: str, images: int, cost: int) -> None:
    assert cost_of((text, image_text), images, windows=32) == cost
