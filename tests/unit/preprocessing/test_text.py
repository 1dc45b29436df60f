from __future__ import annotations

import numpy as np
import pytest

from crossguard.bundle import Bundle
from crossguard.preprocessing.text import TextEncoder, TextSpec, pad


@pytest.fixture
def encoder(tiny_bundle: Bundle) -> TextEncoder:
    return TextEncoder(tiny_bundle.tokenizer, tiny_bundle.manifest.text)


def test_nothing_visible_gives_no_tokens(encoder: TextEncoder) -> None:
    assert [tokens.ids for tokens in encoder.encode([("", ""), (" \u200b\x00", ""), ("\n", "\t")])] == [()] * 3


def test_image_text_is_joined_as_the_spec_says(tiny_bundle: Bundle) -> None:
    def ids(image_text: str) -> tuple[int, ...]:
        spec = tiny_bundle.manifest.text.model_copy(update={"image_text": image_text})
        return TextEncoder(tiny_bundle.tokenizer, spec).encode([("hello", "friends")])[0].ids

    assert len(ids("append")) == 2
    assert ids("append") == ids("pair")  # this toy tokenizer marks no second segment
    assert len(ids("ignore")) == 1


def test_a_post_with_words_in_the_picture_only_has_text(encoder: TextEncoder) -> None:
    assert encoder.encode([("", "hello")])[0].ids == encoder.encode([("hello", "")])[0].ids


@pytest.mark.parametrize("text", ["hello " * 100, "hello " * 200_000])
def test_long_text_is_cut_and_says_so(encoder: TextEncoder, text: str) -> None:
    tokens = encoder.encode([(text, "")])[0]
    assert len(tokens.ids) == encoder.spec.max_length
    assert tokens.truncated


def test_short_text_is_not_marked(encoder: TextEncoder) -> None:
    assert not encoder.encode([("hello", "")])[0].truncated


def test_padding_to_the_longest_or_to_the_maximum() -> None:
    ids, mask = pad([(5, 6, 7), (8,)], TextSpec(max_length=6, pad_id=9))
    assert ids.tolist() == [[5, 6, 7], [8, 9, 9]]
    assert mask.tolist() == [[1, 1, 1], [1, 0, 0]]
    assert pad([(5,)], TextSpec(max_length=6, padding="max_length"))[0].shape == (1, 6)


def test_no_rows_give_an_empty_array() -> None:
    ids, mask = pad([], TextSpec(max_length=6))
    assert ids.shape == mask.shape == (0, 0)
    assert ids.dtype == np.int64
