"""What is said of JSON that holds posts in another shape."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from tests.support.tables import read, write

from crossguard.data import json_shapes
from crossguard.errors import TableError


@pytest.mark.parametrize("orient", ["columns", "split", "list"])
def test_a_table_by_columns_is_told_with_the_way_to_write_rows(tmp_path: Path, orient: str) -> None:
    frame = pd.DataFrame({"id": ["x", "y"], "text": ["one", "two"]})
    held = frame.to_dict("list") if orient == "list" else json.loads(frame.to_json(orient=orient))
    with pytest.raises(TableError, match=r"holds columns.*orient='records', lines=True"):
        read(write(tmp_path / "posts.json", json.dumps(held)))


@pytest.mark.parametrize(
    ("held", "filter_"),
    [
        ({"0": {"text": "one"}, "1": {"text": "two"}}, "to_entries[] | {id: .key} + .value"),
        ({"7": "one", "8": "two"}, "to_entries[] | {id: .key, text: .value}"),
        ({"my data": {"text": "one"}}, '. + .["my data"]'),
        ({"my data": [{"text": "one"}]}, '.["my data"][]'),
        ({"record": {"text": "one"}}, ". + .record"),
        ({"tweet": {"id_str": "1", "full_text": "one"}}, ". + .tweet"),
        ({"kind": "t3", "data": {"title": "one", "selftext": "two"}}, ". + .data"),
        ({"users": [{"name": "A"}], "messages": [{"content": "one"}]}, ".messages[]"),
        ({"1": {"full_text": "one"}, "2": {"full_text": "two"}}, "to_entries[] | {id: .key} + .value"),
        (["one", "two"], ".[] | {text: .}"),
        ([[1, "one"], [2, "two"]], ".[] | {text: .[1]}"),
    ],
)
def test_the_filter_that_takes_the_posts_out_is_told(tmp_path: Path, held: Any, filter_: str) -> None:
    for indent in (None, 2) if isinstance(held, list) else (None,):
        with pytest.raises(TableError) as caught:
            read(write(tmp_path / "posts.json", json.dumps(held, indent=indent)))
        assert f"jq -c '{filter_}'" in str(caught.value)


@pytest.mark.parametrize("posts", [[{"text": "one"}], [{"text": "one"}, {"text": "two"}]])
def test_objects_over_several_lines_are_told_the_way_to_one_line_each(tmp_path: Path, posts: list[Any]) -> None:
    path = write(tmp_path / "posts.jsonl", "\n".join(json.dumps(post, indent=2) for post in posts))
    with pytest.raises(TableError, match=r"objects over several lines.*jq -c \. FILE"):
        read(path)


@pytest.mark.parametrize(
    "row",
    [
        {"id": "x", "text": []},
        {"text": "one", "tags": ["a", "b"]},
        {"text": {"a": 1}, "id": {"a": 1, "b": 2}},
        {"id": "7", "title": "one"},
        {"1": "one", "text": "two"},
        {},
    ],
)
def test_posts_are_no_tables(row: dict[str, Any]) -> None:
    assert json_shapes.whole_table(row) is None


def test_rows_of_numbers_name_no_text() -> None:
    assert json_shapes.bare_item([1, 2]) is None
    assert json_shapes.bare_item({"text": "one"}) is None
