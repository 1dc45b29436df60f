from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from crossguard.bundle import Bundle
from crossguard.preprocessing.text import TextEncoder, TextSpec, pad
from crossguard.preprocessing.windows import Window


@pytest.fixture
def encoder(tiny_bundle: Bundle) -> TextEncoder:
    return TextEncoder(tiny_bundle.tokenizer, tiny_bundle.manifest.text)


def test_nothing_visible_gives_no_tokens(encoder: TextEncoder) -> None:
    pairs = [("", ""), (" \u200b\x00", ""), ("\n", "\t"), ("\u3164\u2800", "\uffa0")]
    assert [tokens.ids for tokens in encoder.encode(pairs)] == [()] * 4


def test_image_text_is_joined_as_the_spec_says(tiny_bundle: Bundle) -> None:
    def ids(image_text: str) -> tuple[int, ...]:
        spec = tiny_bundle.manifest.text.model_copy(update={"image_text": image_text})
        return TextEncoder(tiny_bundle.tokenizer, spec).encode([("hello", "friends")])[0].ids

    assert len(ids("append")) == 2
    assert ids("append") == ids("pair")  # this toy tokenizer marks no second segment
    assert len(ids("ignore")) == 1


def test_a_post_with_words_in_the_picture_only_has_text(encoder: TextEncoder) -> None:
    assert encoder.encode([("", "hello")])[0].ids == encoder.encode([("hello", "")])[0].ids


def test_a_long_text_is_read_in_overlapping_windows(encoder: TextEncoder) -> None:
    tokens = encoder.encode([("hello " * 100, "")])[0]
    assert len(tokens.windows) > 1
    assert all(len(window.ids) == encoder.spec.max_length for window in tokens.windows)
    assert not tokens.truncated
    spans = [window.text for window in tokens.windows if window.text is not None]
    assert spans[0][0] == 0
    assert spans[-1][1] == len("hello " * 100) - 1
    assert all(left[0] < right[0] < left[1] for left, right in pairwise(spans))


def test_a_text_longer_than_all_windows_is_cut_and_says_so(encoder: TextEncoder) -> None:
    tokens = encoder.encode([("hello " * 200_000, "")])[0]
    assert len(tokens.windows) <= encoder.spec.windows
    assert tokens.truncated


def test_short_text_is_not_marked(encoder: TextEncoder) -> None:
    tokens = encoder.encode([("hello", "")])[0]
    assert not tokens.truncated
    assert tokens.windows == (Window(tokens.ids),)


@pytest.mark.parametrize("image_text", ["append", "pair"])
def test_a_window_says_where_it_lies_in_both_parts(tiny_bundle: Bundle, image_text: str) -> None:
    spec = tiny_bundle.manifest.text.model_copy(update={"image_text": image_text, "max_length": 8})
    text, words = "hello good people  my friends " * 4, "awful people " * 4
    windows = TextEncoder(tiny_bundle.tokenizer, spec).encode([(text, words)])[0].windows
    assert windows[0].text is not None
    assert text[slice(*windows[0].text)].startswith("hello good")
    assert max(window.text[1] for window in windows if window.text) <= len(text)
    assert windows[-1].image_text is not None
    assert words[slice(*windows[-1].image_text)].endswith("awful people")


@pytest.mark.parametrize("name", ["none", "social"])
@pytest.mark.parametrize("padding", [" ", "\n", "\u200b", "\u00a0", "\u2063 ", "\u3164", "\u2800"])
def test_what_cannot_be_seen_hides_nothing(tiny_bundle: Bundle, padding: str, name: str) -> None:
    spec = tiny_bundle.manifest.text.model_copy(update={"normalization": name})
    encoder = TextEncoder(tiny_bundle.tokenizer, spec)
    assert encoder.encode([(padding * 30_000 + "hello", "")]) == encoder.encode([("hello", "")])


def test_no_padding_is_long_enough_to_hide_a_text(encoder: TextEncoder) -> None:
    for padding in (" ", "\n", "\u200b"):
        (tokens,) = encoder.encode([(padding * 100_000 + "hello you", "")])
        assert tokens.ids == encoder.encode([("hello you", "")])[0].ids
    (tokens,) = encoder.encode([("\u200b" * 2_000_000 + "hello you", "")])
    assert (tokens.ids, tokens.truncated) == ((), True), "what was not read is told"


def test_a_lone_link_is_not_empty(tiny_bundle: Bundle) -> None:
    spec = tiny_bundle.manifest.text.model_copy(update={"normalization": "social"})
    assert TextEncoder(tiny_bundle.tokenizer, spec).encode([("https://example.org", "")])[0].windows


def test_a_long_link_hides_nothing(tiny_bundle: Bundle) -> None:
    spec = tiny_bundle.manifest.text.model_copy(update={"normalization": "social"})
    encoder = TextEncoder(tiny_bundle.tokenizer, spec)
    link = "https://example.org/" + "a/" * 30_000
    assert encoder.encode([(f"{link} hello", "")]) == encoder.encode([("hello", "")])


def test_padding_to_the_longest_or_to_the_maximum() -> None:
    ids, mask = pad([(5, 6, 7), (8,)], TextSpec(max_length=6, pad_id=9))
    assert ids.tolist() == [[5, 6, 7], [8, 9, 9]]
    assert mask.tolist() == [[1, 1, 1], [1, 0, 0]]
    assert pad([(5,)], TextSpec(max_length=6, padding="max_length"))[0].shape == (1, 6)


def test_no_rows_give_an_empty_array() -> None:
    ids, mask = pad([], TextSpec(max_length=6))
    assert ids.shape == mask.shape == (0, 0)
    assert ids.dtype == np.int64
