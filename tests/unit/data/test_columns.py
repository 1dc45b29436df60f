"""Which columns of a table hold what."""

from __future__ import annotations

import pytest

from crossguard.data.columns import Columns, ColumnsInPython, OwnColumns, unread
from crossguard.errors import TableError


@pytest.mark.parametrize(
    ("header", "found"),
    [
        (["id", "text"], {"id": "id", "text": "text"}),
        (["ID", "Text"], {"id": "ID", "text": "Text"}),
        (["tweet_id", "tweet", "likes"], {"id": "tweet_id", "text": "tweet"}),
        (["text", "comment"], {"text": "text"}),
        (["Image Path", "ocr"], {"image_path": "Image Path", "image_text": "ocr"}),
        (["id_str", "full_text"], {"text": "full_text"}),
        (["img", "Caption"], {"text": "Caption", "image_path": "img"}),
        (["title", "body"], {"text": "body"}),
        (["Comment ID", "Post ID", "Comment Text"], {"id": "Comment ID", "text": "Comment Text"}),
        (["post_id", "comment_id", "post"], {"id": "post_id", "text": "post"}),
        (["post_id", "comment_id", "text"], {"text": "text"}),
        (["_id", "post_id", "img"], {"image_path": "img"}),
        (["post_title", "post_content"], {"text": "post_content"}),
        (["post_id", "title", "raw", "cooked"], {"id": "post_id", "text": "raw"}),
        (["title", "content_html"], {"text": "content_html"}),
        (["body", "body_html", "raw"], {"text": "body"}),
    ],
)
def test_columns_are_found_by_their_usual_names(header: list[str], found: dict[str, str]) -> None:
    assert Columns().match(header, "posts.csv") == found


def test_several_columns_that_could_be_the_text_are_not_guessed_at() -> None:
    with pytest.raises(TableError, match=r"several columns .* the text: comment, body.*--text-column comment\."):
        Columns().match(["comment", "body"], "posts.csv")


def test_words_beside_the_text_are_found_where_they_are_not_the_text() -> None:
    columns = Columns()
    for header, told in (
        (["title", "body", "likes"], ["title"]),
        (["Title"], []),
        (["raw", "cooked"], []),
        (["text", "post_content"], ["post_content"]),
        (["text", "Alt text"], ["Alt text"]),
    ):
        assert unread(header, columns.match(header, "posts.csv")) == [(name, "words") for name in told]
    with pytest.raises(TableError, match=r"several columns .* the text: title, description\..*join them first"):
        columns.match(["title", "description"], "posts.csv")


@pytest.mark.parametrize(
    ("header", "said"),
    [
        (["ID", "Kommentar", "", ""], r"It has: ID, Kommentar\. To read one: --text-column NAME or .*-column NAME\.$"),
        (["1", "Hello there"], "add a line above it that names the columns"),
        (["I am so tired"], r"If each line is a text: --input-format txt\. Is the first line a post\? Then add"),
    ],
)
def test_a_table_without_a_known_column_is_told_what_to_do(header: list[str], said: str) -> None:
    with pytest.raises(TableError, match=said):
        Columns().find(header, "posts.csv", "lines")


def test_a_sheet_without_a_known_column_may_have_lines_above_its_header() -> None:
    above = r"-column NAME\. The first row must name the columns: delete the rows above it\.$"
    with pytest.raises(TableError, match=above):
        Columns().find(["Report 2026"], "posts.xlsx", "sheet")
    with pytest.raises(TableError, match=r"-column NAME\.$"):
        Columns().find(["Report 2026"], "posts.parquet")


@pytest.mark.parametrize(
    ("columns", "one", "file", "address"),
    [
        (Columns(), "--text-column 'my words'", "--image-path-column file", "--image-path-column url --fetch-origin"),
        (
            ColumnsInPython(),
            'columns={"text": "my words"}',
            'columns={"image_path": "file"}',
            'score_files(..., columns={"image_path": "url"}, fetch_origins=[...])',
        ),
        (OwnColumns(), "rename it to 'text'", "rename it to 'image_path'", "write each to a file"),
    ],
)
def test_each_caller_is_told_its_own_way_to_name_a_column(columns: Columns, one: str, file: str, address: str) -> None:
    assert columns.how("my words", "text") == one
    assert columns.how("file", "image_path") == file
    assert address in columns.how_to_fetch("url")
    with pytest.raises(TableError) as told:
        columns.find(["words"], "posts.csv", "lines")
    assert columns.how("NAME", "text") in str(told.value)
    assert ("--" in str(told.value)) == (type(columns) is Columns), "an option that a caller does not have is not named"
    assert columns.notes({"text": "comment"}) == [
        f"column 'comment' is read as text; another one: {columns.how('NAME', 'text')}"
    ]


def test_names_that_are_like_ours_and_are_not_read_are_told() -> None:
    words = ["imageText", "body", "txt"]
    images = ["imge_path", "more_images"]
    encoded = ["image_base64", "imageBase64", "img_bytes", "image_data", "jpg"]
    addresses = ["imageUrl", "image_link", "media_uri"]
    files = ["file_name", "Path", "image_name", "photo_path", "imgFile"]
    others = ["comment", "context", "next", "image_hash", "image_id"]
    kinds = {"words": words, "images": images, "bytes": encoded, "addresses": addresses, "file": files}
    told = unread(["text", *(name for names in kinds.values() for name in names), *others], {"text": "text"})
    assert told == [(name, kind) for kind, names in kinds.items() for name in names]


def test_beside_an_image_only_further_ones_are_told() -> None:
    names = ["text", "img", "more_images", "image_2", "filename", "imge"]
    found = {"text": "text", "image_path": "img"}
    assert unread(names, found) == [("more_images", "images"), ("image_2", "images")]
