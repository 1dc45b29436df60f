from __future__ import annotations

import json
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest

from crossguard.data.keeping import Keeper
from crossguard.records import Post


def test_what_was_scored_is_kept_under_its_name_and_not_another_column() -> None:
    post = Post("1", "scored", "a.png", extra={"text": "another", "image_path": "b.png", "image_text": "other words"})
    keeper = Keeper(keep=True)
    assert keeper.of(post, post) == {"text": "scored", "image_path": "a.png"}
    assert sorted(sentence.partition(":")[0] for sentence in keeper.left_out) == [
        f"column '{name}' is not kept" for name in ("image_path", "image_text", "text")
    ]


def test_dates_and_decimals_are_kept_as_texts() -> None:
    extra = {
        "day": date(2026, 1, 2),
        "took": timedelta(hours=1),
        "price": Decimal("1.50"),
        "empty": None,
        "gap": float("nan"),
    }
    post = Post("1", "a", extra=extra)
    keeper = Keeper(keep=True)
    assert keeper.of(post, post) == {"text": "a", "day": "2026-01-02", "took": "1:00:00", "price": "1.50"}
    assert not keeper.left_out


def test_what_is_not_kept_is_counted_with_its_reason() -> None:
    keeper = Keeper(keep=True, columns=("text",))
    for number in range(2):
        post = Post(str(number), "a", extra={"author": "x", "raw": b"x"})
        keeper.of(post, post)
    room = "a table has the columns of its first post only; JSON Lines (.jsonl) keep all"
    assert keeper.left_out == {
        f"column 'author' is not kept: {room}": 2,
        "column 'raw' is not kept: it holds bytes": 2,
    }


def test_only_words_that_were_read_are_kept_where_nothing_else_is() -> None:
    keeper = Keeper(keep=False, columns=())
    post = Post("1", "a", "a.png", extra={"author": "x"})
    assert keeper.of(post, Post("1", "a", "a.png", "words")) == {"image_text": "words"}
    assert not keeper.left_out


@pytest.mark.parametrize("opening", ["[", '{"a": '])
def test_what_is_nested_so_deeply_that_it_could_not_be_written_is_left_out(opening: str) -> None:
    def nested(levels: int) -> Any:
        return json.loads(opening * levels + "1" + {"[": "]"}.get(opening, "}") * levels)

    post = Post("1", "a", extra={"fine": nested(50), "deep": nested(51), "deeper": nested(500)})
    keeper = Keeper(keep=True)
    assert keeper.of(post, post).keys() == {"text", "fine"}
    assert keeper.left_out == {
        f"column '{name}' is not kept: it is nested too deeply": 1 for name in ("deep", "deeper")
    }
