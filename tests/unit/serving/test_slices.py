from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from crossguard.moderator import Moderator
from crossguard.preprocessing.batch import Prepared
from crossguard.records import Post
from crossguard.serving.slices import SLICE, SlicedPost, slices

WORDS = ("hello", "good", "morning", "you", "are", "all", "awful", "people", "i", "love", "hate", "my", "friends")


def long_post(tiny: Moderator, seed: int) -> Prepared:
    random = np.random.default_rng(seed)
    return tiny.prepare(Post("long", " ".join(random.choice(WORDS, size=400))))


def animation(tiny: Moderator, text: str = "") -> Prepared:
    random = np.random.default_rng(1)
    images = [random.integers(0, 255, (40, 40, 3), np.uint8) for _ in range(9)]
    first = tiny.prepare(Post("a", text, images[0]))
    frames = tuple(tiny.prepare(Post("a", image=image)).frames[0] for image in images)
    return dataclasses.replace(first, frames=frames)


@pytest.mark.parametrize("kind", ["text", "frames", "frames and a word"])
def test_slices_give_the_decision_of_the_whole(tiny: Moderator, kind: str) -> None:
    post = long_post(tiny, 5) if kind == "text" else animation(tiny, "" if kind == "frames" else "hello")
    pieces = slices(post)
    assert len(pieces) > 1
    assert all(len(piece.texts) <= SLICE and len(piece.frames) <= SLICE for piece in pieces)
    whole = tiny.decide([post], tiny.infer([post]))[0]
    sliced = SlicedPost(tiny, post, list(pieces))
    answers = [sliced.step() for _ in range(len(pieces))]
    assert answers[:-1] == [None] * (len(pieces) - 1)
    found = answers[-1]
    assert found is not None
    assert found.scores == pytest.approx(whole.scores, abs=1e-6)
    assert found.text_weight == pytest.approx(whole.text_weight, abs=1e-6)
    assert {**found.to_dict(), "labels": {}} == {**whole.to_dict(), "labels": {}}


def test_an_ordinary_post_is_left_whole(tiny: Moderator) -> None:
    post = tiny.prepare(Post("a", "hello you"))
    assert slices(post) == [post]
    both = dataclasses.replace(animation(tiny), texts=long_post(tiny, 2).texts)
    assert slices(both) == [both]
