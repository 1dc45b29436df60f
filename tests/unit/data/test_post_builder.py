"""Rows as posts, and what is said about the columns of their table."""

from __future__ import annotations

from pathlib import Path

import pytest

from crossguard.data.columns import Columns
from crossguard.data.post_builder import AnyBuilder, PostBuilder, RowBuilder
from crossguard.errors import TableError


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


@pytest.mark.parametrize(
    ("header", "unread"),
    [
        (["text", "images"], ["images"]),
        (["text", "image1", "Image 2"], ["image1", "Image 2"]),
        (["text", "image_path", "image_path_2", "attachments"], ["image_path_2"]),
        (["text", "image_path", "image_count"], []),
    ],
)
def test_images_in_a_form_that_is_not_read_are_told(header: list[str], unread: list[str]) -> None:
    builder = PostBuilder(Columns(), Path())
    builder.open(header, "posts.csv")
    assert [note.split("'")[1] for note in builder.notes] == unread
    assert all("one image, its path in image_path" in note for note in builder.notes)


@pytest.mark.parametrize("name", ["title", "extended_tweet"])
def test_words_that_are_not_scored_are_told(name: str) -> None:
    builder = PostBuilder(Columns(), Path())
    builder.open(["id", name, "text"], "posts.csv")
    assert builder.notes == [f"column '{name}' is not scored; join it to the text if people read both"]


def test_what_only_later_objects_or_tables_have_is_told_once_too() -> None:
    builder = PostBuilder(Columns(), Path())
    builder.check_first({"text": "a", "title": "b"}, "The first object")
    for _ in range(2):
        builder.build({"text": "a", "image_url": "https://x.org/1.jpg"}, "line-2")
        builder.open(["text", "caption"], "more.csv")
    assert [note.split("'")[1] for note in builder.unread] == ["title", "image_url", "caption"]
    assert builder.notes == builder.unread


def test_a_text_inside_another_object_is_told_with_the_way_to_it() -> None:
    row = {"uri": "at://1", "author": {"description": "a person"}, "record": {"text": "hello"}}
    with pytest.raises(TableError, match=r"its 'record' may: jq -c '\. \+ \.record' FILE"):
        PostBuilder(Columns(), Path()).check_first(row, "The first object")


def test_only_builders_of_posts_ask_for_something_to_score() -> None:
    with pytest.raises(TableError, match="none of the columns text, image_path"):
        PostBuilder(Columns(), Path()).open(["id", "racist"], "scores.csv")
    assert AnyBuilder(Columns(), Path()).open(["id", "racist"], "scores.csv") == {"id": "id"}
    rows = RowBuilder()
    rows.open(["comment", "body"], "any.csv")
    assert rows.header == ("comment", "body")
    assert rows.build({"comment": "a", "body": 1}, "row-1").extra == {"comment": "a", "body": 1}


@pytest.mark.parametrize(
    "row",
    [
        {"guild": {"id": "1"}, "messages": [{"content": "hello"}]},  # a chat
        {"id": "outbox", "type": "OrderedCollection", "messages": [{"content": "hello"}]},
    ],
)
def test_an_object_around_the_posts_is_told_with_the_way_to_them(row: dict[str, object]) -> None:
    with pytest.raises(TableError, match=r"jq -c '\.messages\[\]' FILE"):
        PostBuilder(Columns(), Path()).check_first(row, "The first object")


def test_a_first_post_with_images_alone_may_hold_lists() -> None:
    PostBuilder(Columns(), Path()).check_first({"id": "1", "attachments": [{"url": "x"}]}, "The first object")
    PostBuilder(Columns(), Path()).check_first({"text": "a", "attachments": [{"url": "x"}]}, "The first object")


@pytest.mark.parametrize("name", ["racist", "text"])
def test_a_doubled_column_of_an_annotated_table_is_refused(name: str) -> None:
    with pytest.raises(TableError, match=f"votes.csv has the column '{name}' twice; rename one"):
        AnyBuilder(Columns(), Path(), extra=True).open(["text", "racist", name], "votes.csv")
    AnyBuilder(Columns(), Path(), extra=True).open(["", "text", ""], "votes.csv")


@pytest.mark.parametrize(
    ("extra", "told"), [(True, ["column 'likes' stands twice; the last one is kept"]), (False, [])]
)
def test_a_doubled_column_is_told_where_columns_are_kept(*, extra: bool, told: list[str]) -> None:
    builder = PostBuilder(Columns(), Path(), extra=extra)
    builder.open(["", "text", "likes", "likes", ""], "posts.csv")
    assert builder.notes == told
