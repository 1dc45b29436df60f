from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossguard.preprocessing.normalization import normalize
from crossguard.preprocessing.windows import Alignment, ends, pair_sizes, stretches


@given(st.integers(0, 3000), st.integers(1, 200))
def test_stretches_cover_every_token(length: int, size: int) -> None:
    spans = stretches(length, size)
    assert {token for start, stop in spans for token in range(start, stop)} == set(range(length))
    assert all(stop - start == min(size, length) for start, stop in spans)
    assert len(spans) <= 2 + 2 * length // size


@given(st.integers(0, 3000), st.integers(60, 200), st.integers(0, 2900))
def test_what_is_no_longer_than_the_overlap_is_whole_in_one_stretch(length: int, size: int, start: int) -> None:
    stop = min(start + size // 3, length)
    assert any(first <= start and stop <= last for first, last in stretches(length, size)) or start >= length


def test_of_too_many_stretches_the_ends_are_kept() -> None:
    spans = stretches(10_000, 90)
    kept = ends(spans, 8)
    assert len(kept) == 8
    assert kept[0] == spans[0]
    assert kept[-2:] == spans[-2:]
    assert ends(spans, 1) == spans[:1]


@given(st.integers(0, 500), st.integers(0, 500), st.integers(2, 200))
def test_a_pair_fills_its_window_and_keeps_the_shorter_part(first: int, second: int, budget: int) -> None:
    sizes = pair_sizes(first, second, budget)
    assert sum(sizes) == min(first + second, budget)
    assert sizes[0] <= first
    assert sizes[1] <= second
    if min(first, second) <= budget // 2:
        assert sizes[0 if first <= second else 1] == min(first, second)


def test_a_place_is_found_again_in_the_text_as_written() -> None:
    raw = "so   many\u200b&amp;words\nhere https://example.org/long/link and more"
    clean = "so many&words here and more"
    alignment = Alignment(raw, clean, lambda text: normalize(text, "social"))
    start = clean.index("words")
    place = alignment.locate((start, start + 5))
    assert place is not None
    assert "words" in raw[slice(*place)]
    assert alignment.locate((0, 0)) is None


@pytest.mark.parametrize("mentions", ["@anna " * 50, "@anna @bob_the_builder " * 40])
def test_mentions_that_become_one_move_no_place(mentions: str) -> None:
    raw = f"hello {mentions}we bake bread. {'It is a fine day. ' * 20}"
    clean = normalize(raw, "social")
    start = clean.index("bake")
    place = Alignment(raw, clean, lambda text: normalize(text, "social")).locate((start, start + 4))
    assert place is not None
    assert raw[slice(*place)] == "bake"


@pytest.mark.parametrize(
    "raw",
    [
        f"{{text}} {'😂' * 20}",
        f"{{text}} {'😂 ' * 40}",
        f"{{text}} good{'😂' * 20}\n❤️",
        f"{'❤️ ' * 40}{{text}}",
        f"{'😂' * 20}good {{text}}",
        f"{'It is fun' + '😂' * 20} {{text}}",
        f"{'It is fun ' + '😂😂 ' * 20} {{text}}",
        "RT @some_person: {text}",
    ],
)
def test_emoji_move_no_place(raw: str) -> None:
    """They are a smile around the text, and names within."""
    raw = raw.format(text=f"{'It is a fine day. ' * 20}we bake bread. {'It is a fine day. ' * 20}")
    clean = normalize(raw, "social")
    start = clean.index("bake")
    place = Alignment(raw, clean, lambda text: normalize(text, "social")).locate((start, start + 4))
    assert place is not None
    assert raw[slice(*place)] == "bake"


def test_equal_words_that_stay_are_counted() -> None:
    raw = "no " * 50 + "bread " + "no " * 50
    place = Alignment(raw, raw.strip(), lambda text: normalize(text, "social")).locate((150, 155))
    assert place == (150, 155)
