from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest

from crossguard.data.columns import AnyBuilder, Columns, PostBuilder, RowBuilder, share_of
from crossguard.errors import TableError


@pytest.mark.parametrize(
    ("header", "found"),
    [
        (["id", "text"], {"id": "id", "text": "text"}),
        (["ID", "Text"], {"id": "ID", "text": "Text"}),
        (["tweet_id", "tweet", "likes"], {"id": "tweet_id", "text": "tweet"}),
        (["text", "comment"], {"text": "text"}),
        (["Image Path", "ocr"], {"image_path": "Image Path", "image_text": "ocr"}),
    ],
)
def test_columns_are_found_by_their_usual_names(header: list[str], found: dict[str, str]) -> None:
    assert Columns().match(header, "posts.csv") == found


def test_several_columns_that_could_be_the_text_are_not_guessed_at() -> None:
    with pytest.raises(TableError, match=r"several columns .* the text: comment, body.*--text-column 'comment'"):
        Columns().match(["comment", "body"], "posts.csv")


def test_a_column_under_another_name_is_told() -> None:
    builder = PostBuilder(Columns(), Path())
    builder.open(["comment", "likes"], "posts.csv")
    assert builder.notes == ["column 'comment' is read as text; another one: --text-column NAME"]


@pytest.mark.parametrize("name", ["image_url", "Image URL", "img_url"])
def test_a_column_of_web_addresses_that_is_not_read_is_told_with_what_fetches_it(name: str) -> None:
    builder = PostBuilder(Columns(), Path())
    builder.open(["text", name], "posts.csv")
    (note,) = builder.notes
    assert note.startswith(f"column '{name}' is not read")
    assert note.endswith(f"--image-path-column '{name}' --fetch-origin https://HOST")


@pytest.mark.parametrize("columns", [Columns(), Columns(image_path="image_url")])
def test_addresses_that_are_read_or_stand_beside_a_path_are_not_told_as_unread(columns: Columns) -> None:
    builder = PostBuilder(columns, Path())
    builder.open(["text", "image_url", "image_path"], "posts.csv")
    assert not [note for note in builder.notes if "not read" in note]


def test_only_builders_of_posts_ask_for_something_to_score() -> None:
    with pytest.raises(TableError, match="none of the columns text, image_path"):
        PostBuilder(Columns(), Path()).open(["id", "racist"], "scores.csv")
    assert AnyBuilder(Columns(), Path()).open(["id", "racist"], "scores.csv") == {"id": "id"}
    rows = RowBuilder()
    rows.open(["comment", "body"], "any.csv")
    assert rows.header == ("comment", "body")
    assert rows.build({"comment": "a", "body": 1}, "row-1").extra == {"comment": "a", "body": 1}


@pytest.mark.parametrize("cell", [None, "", " ", "nan", "NaN", "NULL", "None", "N/A", "#N/A", math.nan])
def test_an_empty_cell_of_a_label_is_unknown(cell: Any) -> None:
    assert math.isnan(share_of(cell, "racist", "Row 1"))


@pytest.mark.parametrize(
    ("cell", "share"),
    [
        *((0, 0.0), (True, 1.0), ("1", 1.0), ("0.33", 0.33), ("True", 1.0), ("FALSE", 0.0), ("yes", 1.0), ("No", 0.0)),
        *(("0,33", 0.33), ("1,0", 1.0)),
    ],
)
def test_a_cell_of_a_label_is_a_share_of_annotators(cell: Any, share: float) -> None:
    assert share_of(cell, "racist", "Row 1") == share


@pytest.mark.parametrize("cell", ["maybe", "1,5", "1,000", -0.1, 1.5, "inf", [1]])
def test_anything_else_in_a_label_is_told_with_its_place(cell: Any) -> None:
    with pytest.raises(TableError, match=r"^Row 7: 'racist' must be a number from 0 to 1"):
        share_of(cell, "racist", "Row 7")


@pytest.mark.parametrize(
    ("header", "said"),
    [
        (["ID", "Kommentar", "", ""], r"It has: ID, Kommentar\. Name yours with --text-column"),
        (["1", "Hello there"], "add a line above it that names the columns"),
        (["I am so tired"], "If each line is a text: --input-format txt Or is the first line a post"),
    ],
)
def test_a_table_without_a_known_column_is_told_what_to_do(header: list[str], said: str) -> None:
    with pytest.raises(TableError, match=said):
        Columns().find(header, "posts.csv")
