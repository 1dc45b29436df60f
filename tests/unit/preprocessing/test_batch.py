from __future__ import annotations

import numpy as np

from crossguard.preprocessing.batch import Prepared, collate
from crossguard.preprocessing.text import TextSpec

SPEC = TextSpec(max_length=8)
DARK = np.zeros((4, 4, 3), np.uint8)
LIGHT = np.full((4, 4, 3), 255, np.uint8)


def test_identical_texts_and_pictures_are_stored_once() -> None:
    posts = [Prepared("a", (1, 2), (DARK,)), Prepared("b", (1, 2), (LIGHT,)), Prepared("c", (3,), (DARK,))]
    batch, owner = collate(posts, SPEC, 4)
    assert batch.token_ids.shape == (2, 8)  # lengths are multiples of 8, so that engines meet few
    assert batch.pixels.shape == (2, 4, 4, 3)
    assert batch.text_of.tolist() == [0, 0, 1]
    assert batch.image_of.tolist() == [0, 1, 0]
    assert owner.tolist() == [0, 1, 2]


def test_absent_modalities_have_no_row() -> None:
    batch, _ = collate([Prepared("a", (1,), ()), Prepared("b", (), (DARK,))], SPEC, 4)
    assert batch.text_of.tolist() == [0, -1]
    assert batch.image_of.tolist() == [-1, 0]


def test_an_animation_has_a_row_per_different_frame() -> None:
    batch, owner = collate([Prepared("a", (1,), (DARK, LIGHT, DARK)), Prepared("b", (2,), ())], SPEC, 4)
    assert owner.tolist() == [0, 0, 1]
    assert batch.image_of.tolist() == [0, 1, -1]
    assert len(batch) == 3


def test_text_only_batches_hold_empty_pixels_of_the_right_shape() -> None:
    batch, _ = collate([Prepared("a", (1,), ())], SPEC, 4)
    assert batch.pixels.shape == (0, 4, 4, 3)
