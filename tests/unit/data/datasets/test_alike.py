"""Copies of images are found by what they show."""

from __future__ import annotations

import numpy as np
from PIL import Image

from crossguard.data.datasets.alike import Hashes, alike, perceptual_hash


def picture(seed: int) -> Image.Image:
    pixels = np.random.default_rng(seed).integers(0, 256, size=(6, 6, 3)).astype(np.uint8)
    return Image.fromarray(pixels).resize((60, 60))


def test_copies_look_alike_and_others_do_not() -> None:
    images = picture(1), picture(1).resize((41, 37)), picture(2)
    assert list(alike(dict(enumerate(map(perceptual_hash, images))))) == [(0, 1)]


def test_each_later_copy_of_an_image_makes_one_pair() -> None:
    one, near = 0b1111, 0b0111
    assert list(alike({1: one, 2: one, 3: one, 4: near, 5: near})) == [(1, 2), (1, 3), (1, 4), (4, 5)]


def test_hashes_at_most_three_bits_apart_are_near() -> None:
    hashes = Hashes()
    hashes.add(0)
    three, four = 1 | 1 << 20 | 1 << 40, 1 | 1 << 20 | 1 << 40 | 1 << 63
    hashes.add(four)
    assert (hashes.near(0), hashes.near(three)) == ({0}, {0, four})
    assert hashes.near((1 << 64) - 1) == set()
