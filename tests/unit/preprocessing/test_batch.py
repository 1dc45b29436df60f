from __future__ import annotations

import numpy as np

from crossguard.preprocessing.batch import LINE_MARGIN, READING_MARGIN, Prepared, collate
from crossguard.preprocessing.text import TextSpec
from crossguard.preprocessing.windows import Window
from crossguard.records import Logits

SPEC = TextSpec(max_length=8)
DARK = np.zeros((4, 4, 3), np.uint8)
LIGHT = np.full((4, 4, 3), 255, np.uint8)


def words(*ids: int) -> tuple[Window, ...]:
    return (Window(ids),)


def test_identical_texts_and_pictures_are_stored_once() -> None:
    posts = [
        Prepared("a", words(1, 2), (DARK,)),
        Prepared("b", words(1, 2), (LIGHT,)),
        Prepared("c", words(3), (DARK,)),
    ]
    batch, rows = collate(posts, SPEC, 4)
    assert batch.token_ids.shape == (2, 8)  # lengths are multiples of 8, so that engines meet few
    assert batch.pixels.shape == (2, 4, 4, 3)
    assert batch.text_of.tolist() == [0, 0, 1]
    assert batch.image_of.tolist() == [0, 1, 0]
    assert rows.post.tolist() == [0, 1, 2]


def test_absent_modalities_have_no_row() -> None:
    batch, _ = collate([Prepared("a", words(1), ()), Prepared("b", (), (DARK,))], SPEC, 4)
    assert batch.text_of.tolist() == [0, -1]
    assert batch.image_of.tolist() == [-1, 0]


def test_an_animation_has_a_row_per_different_frame() -> None:
    batch, rows = collate([Prepared("a", words(1), (DARK, LIGHT, DARK)), Prepared("b", words(2), ())], SPEC, 4)
    assert rows.post.tolist() == [0, 0, 1]
    assert batch.image_of.tolist() == [0, 1, -1]
    assert len(batch) == 3


def test_text_only_batches_hold_empty_pixels_of_the_right_shape() -> None:
    batch, _ = collate([Prepared("a", words(1), ())], SPEC, 4)
    assert batch.pixels.shape == (0, 4, 4, 3)


def test_a_long_text_has_a_row_per_window_and_frame() -> None:
    long = Prepared("a", (*words(1, 2), *words(3), *words(1, 2)), (DARK, LIGHT))
    batch, rows = collate([long, Prepared("b", words(3), ())], SPEC, 4)
    assert rows.post.tolist() == [0, 0, 0, 0, 1]
    assert rows.text.tolist() == [0, 0, 1, 1, 0]
    assert batch.text_of.tolist() == [0, 0, 1, 1, 1]
    assert batch.image_of.tolist() == [0, 1, 0, 1, -1]


def test_the_highest_row_of_a_post_decides_each_output() -> None:
    posts = [Prepared("a", (*words(1), *words(2)), ()), Prepared("b", words(3), ()), Prepared("c", (), (DARK,))]
    _, rows = collate(posts, SPEC, 4)
    values = np.array([[1, 5], [2, 4], [0, 0], [7, 8]], np.float32)
    highest = rows.highest(Logits(values, np.array([0.9, 0.8, 1.0, 0.0], np.float32)))
    assert highest.values.tolist() == [[2, 5], [0, 0], [7, 8]]
    assert highest.texts is not None
    assert highest.texts.tolist() == [[1, 0], [0, 0], [-1, -1]]
    assert highest.take(np.array([1])).values.tolist() == [[0, 0]]


def test_a_line_counts_for_less_than_a_whole_text() -> None:
    """Short pieces of harmless posts are scored too high."""
    windows = (Window((1,)), Window((2,), line=True), Window((3,), line=True))
    _, rows = collate([Prepared("a", windows, ()), Prepared("b", windows[:1], ())], SPEC, 4)
    values = np.array([[1, 1], [0, 1.5 + LINE_MARGIN], [0.9 + LINE_MARGIN, 1], [5, 5]], np.float32)
    found = rows.highest(Logits(values, np.ones(4, np.float32)))
    np.testing.assert_allclose(found.values, np.array([[1, 1.5], [5, 5]]))
    assert found.texts is not None
    assert found.texts.tolist() == [[0, 1], [0, 0]]


def test_a_reading_that_is_hardly_higher_is_not_told_as_what_decided() -> None:
    windows = (Window((1,)), Window((2,)), Window((3,), undisguised=True))
    _, rows = collate([Prepared("a", windows, ()), Prepared("b", windows[2:], ())], SPEC, 4)
    values = np.array([[1, 1], [2, 0], [2.1 + READING_MARGIN, 1.4], [5, 5]], np.float32)
    found = rows.highest(Logits(values, np.ones(4, np.float32)))
    np.testing.assert_allclose(found.values, np.array([[2.1 + READING_MARGIN, 1.4], [5, 5]], np.float32))
    assert found.texts is not None
    assert found.texts.tolist() == [[2, 0], [0, 0]]
