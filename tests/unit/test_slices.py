"""A post that takes the model long goes through it in pieces."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from crossguard.moderator import Moderator
from crossguard.preprocessing.batch import Prepared
from crossguard.preprocessing.windows import Window
from crossguard.records import Decision, Post
from crossguard.slices import SLICE, TOKENS, merged, slices

WORDS = ("hello", "good", "morning", "you", "are", "all", "awful", "people", "i", "love", "hate", "my", "friends")


def animation(tiny: Moderator, text: str = "") -> Prepared:
    random = np.random.default_rng(1)
    images = [random.integers(0, 255, (40, 40, 3), np.uint8) for _ in range(9)]
    return tiny.prepare(Post("a", text, images[0], more_images=tuple(images[1:])))


@pytest.mark.parametrize("kind", ["text", "frames", "frames and a word"])
def test_slices_give_the_decision_of_the_whole(tiny: Moderator, kind: str) -> None:
    whole = (
        tiny.prepare(Post("long", " ".join(np.random.default_rng(5).choice(WORDS, size=400))))
        if kind == "text"
        else animation(tiny, "hello" * ("word" in kind))
    )
    pieces = slices(whole)
    assert len(pieces) > 1
    for piece in pieces:
        assert len(piece.frames) <= SLICE
        assert len(piece.texts) <= SLICE or sum(len(window.ids) for window in piece.texts) <= TOKENS
    expected: Decision = tiny.decide([whole], tiny.infer([whole]))[0]
    found = tiny.decide([whole], merged(whole, [tiny.infer([piece]) for piece in pieces]))[0]
    assert found.scores == pytest.approx(expected.scores, abs=1e-6)
    assert found.text_weight == pytest.approx(expected.text_weight, abs=1e-6)
    assert {**found.to_dict(), "labels": {}} == {**expected.to_dict(), "labels": {}}


def test_lines_of_a_caption_leave_the_frames_in_slices(tiny: Moderator) -> None:
    whole = animation(tiny, "hello you\ngood people\nmy friends")
    assert len(whole.texts) > 1
    assert all(len(piece.frames) <= SLICE for piece in slices(whole))
    expected = tiny.decide([whole], tiny.infer([whole]))[0]
    found = tiny.decide([whole], merged(whole, [tiny.infer([piece]) for piece in slices(whole)]))[0]
    assert found.scores == pytest.approx(expected.scores, abs=1e-6)
    assert {**found.to_dict(), "labels": {}} == {**expected.to_dict(), "labels": {}}


def test_of_windows_that_are_alike_the_first_is_scored(tiny: Moderator) -> None:
    distinct = [Window((1, *[n] * (TOKENS // 2), 2)) for n in range(5, 10)]
    windows = tuple(distinct[n] for n in (0, 0, 1, 1, 2, 0, 3, 4, 4))
    whole = Prepared("a", windows, ())
    pieces = slices(whole)
    assert [len(piece.texts) for piece in pieces] == [2, 2, 1]
    assert [window for piece in pieces for window in piece.texts] == distinct
    found, expected = merged(whole, [tiny.infer([piece]) for piece in pieces]), tiny.infer([whole])
    np.testing.assert_allclose(found.values, expected.values, atol=1e-5)
    assert found.texts is not None
    assert expected.texts is not None
    assert found.texts.tolist() == expected.texts.tolist()
    alike = Prepared("b", (distinct[0],) * 32, ())
    assert slices(alike) == [alike]


def test_many_short_windows_are_one_slice(tiny: Moderator) -> None:
    """A post of a few lines is no long one, and does not wait for its turn among those."""
    lines = tuple(Window((1, n, 2)) for n in range(5, 15))
    post = Prepared("a", lines, ())
    assert slices(post) == [post]
    long = Window((1, *[4] * (TOKENS - 7), 2))
    whole = Prepared("b", (long, *lines), ())
    pieces = slices(whole)
    assert [len(piece.texts) for piece in pieces] == [2, 9]
    found, expected = merged(whole, [tiny.infer([piece]) for piece in pieces]), tiny.infer([whole])
    assert found.texts is not None
    assert expected.texts is not None
    assert found.texts.tolist() == expected.texts.tolist()


def test_an_ordinary_post_is_left_whole(tiny: Moderator) -> None:
    post = tiny.prepare(Post("a", "hello you"))
    assert slices(post) == [post]
    windows = tuple(Window((1, *[n] * TOKENS)) for n in range(9))
    both = dataclasses.replace(animation(tiny), texts=windows)
    assert slices(both) == [both]
