"""Which columns of a table hold what."""

from __future__ import annotations

import pytest

from crossguard.data.columns import Columns
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
