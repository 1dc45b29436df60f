"""Rows as posts, and what is said about the columns of their table."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from crossguard.data.columns import Columns
from crossguard.data.post_builder import AnyBuilder, PostBuilder, RowBuilder
from crossguard.errors import TableError


def notes(*header: str, columns: Columns | None = None, extra: bool = False) -> list[str]:
    """Returns what is told of the columns of a table."""
    builder = PostBuilder(columns or Columns(), Path(), extra=extra)
    builder.open(header, "posts.csv")
    return builder.notes


def test_a_column_under_another_name_is_told() -> None:
    told = ["column 'comment' is read as text; another one: --text-column NAME"]
    assert notes("comment", "likes") == told


def test_columns_that_could_each_be_the_id_are_told() -> None:
    told = "columns 'post_id', 'Comment ID' could each be the id, so none is; to choose one: --id-column post_id"
    assert notes("post_id", "Comment ID", "text") == [told]
    assert notes("post_id", "Comment ID", "text", columns=Columns(id="post_id")) == []


@pytest.mark.parametrize(
    ("cell", "text"),
    [
        ('{"text": "so it is"}', "so it is"),
        ('{"text":"see "},{"text":"x.org","link":{"linkUrl":"https://x.org"}}', "see x.org"),
        ('{"text": "so it', None),
        ('{"text": 1}', None),
        ('{"text":"so"},7', None),
        ('{"text":"so it is","more":"that people read"}', None),
        ('{"text":"so it is","more":{"and":"that people read"}}', None),
        ('{"text":"so it is","more":{"and":"that\\npeople"}}', None),
        ('{"text":"so it is","that people read":{}}', None),
        ('{"text":"that people read","text":"so it is"}', None),
        ("so it is", None),
    ],
)
def test_comments_in_the_json_of_google_takeout_are_read_as_their_text(cell: str, text: str | None) -> None:
    builder = PostBuilder(Columns(), Path())
    builder.open(["Comment ID", "Comment Text"], "comments.csv")
    assert builder.build({"Comment ID": "1", "Comment Text": cell}, "line-2").text == (cell if text is None else text)
    told = ["the JSON in 'Comment Text' is scored as the text that it holds"]
    assert builder.notes[2:] == (told if text is not None else [])
    assert PostBuilder(Columns(), Path()).build({"text": cell}, "line-2").text == cell


@pytest.mark.parametrize("name", ["image_url", "Image URL", "img_url"])
def test_a_column_of_web_addresses_that_is_not_read_is_told_with_what_fetches_it(name: str) -> None:
    (note,) = notes("text", name)
    assert note.startswith(f"column '{name}' is not read")
    assert note.endswith(f"--image-path-column {shlex.quote(name)} --fetch-origin https://HOST")


@pytest.mark.parametrize("columns", [Columns(), Columns(image_path="image_url")])
def test_addresses_that_are_read_or_stand_beside_a_path_are_not_told_as_unread(columns: Columns) -> None:
    told = notes("text", "image_url", "image_path", columns=columns)
    assert not [note for note in told if "not read" in note]


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
    told = notes(*header)
    assert [note.split("'")[1] for note in told] == unread
    assert all("one image, its path in image_path" in note for note in told)


@pytest.mark.parametrize("name", ["title", "extended_tweet"])
def test_words_that_are_not_scored_are_told(name: str) -> None:
    told = [f"column '{name}' is not scored; join it to the text if people read both"]
    assert notes("id", name, "text") == told


def test_what_only_later_objects_or_tables_have_is_told_once_too() -> None:
    builder = PostBuilder(Columns(), Path())
    builder.check_first({"text": "a", "title": "b"}, "The first object")
    for _ in range(2):
        builder.build({"text": "a", "image_url": "https://x.org/1.jpg"}, "line-2")
        builder.open(["text", "caption"], "more.csv")
    assert [note.split("'")[1] for note in builder.unread] == ["title", "image_url", "caption"]
    assert builder.notes == builder.unread


@pytest.mark.parametrize(
    ("id_", "told"),
    [(2.0**53, True), (-1e18, True), (2.0**53 - 1, False), (2**60, False), ("1e18", False), (float("inf"), False)],
)
def test_ids_that_a_float_cannot_tell_apart_are_told(id_: object, *, told: bool) -> None:
    builder = PostBuilder(Columns(), Path())
    builder.build({"tweet_id": id_, "text": "a"}, "line-1")
    assert any("in 'tweet_id' were rounded" in note for note in builder.notes) is told


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
        {"uri": "at://1", "record": {"text": "hello"}},
        {"guild": {"id": "1"}, "messages": [{"content": "hello"}]},  # a chat
        {"id": "outbox", "type": "OrderedCollection", "messages": [{"content": "hello"}]},
        {"count": 1, "posts": [{"text": "hello"}]},
        {"x": {"text": "one"}, "y": {"text": "two"}},
        {"7": "one", "8": "two"},
        {"id": {"0": "x"}, "text": {"0": "one"}},  # pandas, by columns
        {"text": ["one", "two"]},
        {"columns": ["text"], "index": [0], "data": [["one"]]},
        {"id": 1, "data": {"text": "hello"}},
        {"update_id": 1, "message": {"text": "hello"}},
        {"id": 1, "text": {"body": "hello"}},
    ],
)
def test_posts_in_another_shape_are_refused_with_the_commands_that_convert_them(row: dict[str, object]) -> None:
    with pytest.raises(
        TableError, match=r"no post. It has: .*An object per post.* jq -c '\.posts\[\]' .* orient='records'"
    ):
        PostBuilder(Columns(), Path()).check_first(row, "The first object")


@pytest.mark.parametrize(
    "row",
    [
        {"id": "1", "attachments": [{"url": "x"}]},
        {"text": "a", "attachments": [{"url": "x"}]},
        {"image": {"bytes": b"x", "path": "a.png"}},
        {"img": {"bytes": b"x", "path": "a.png"}},
        {"image_path": ["a.png"]},
        {"tags": ["a"]},
        {"id": "x", "text": []},
        {"1": "one", "text": "two"},
        {"likes": 3},
        {},
    ],
)
def test_a_first_post_may_hold_lists_and_leave_fields_out(row: dict[str, object]) -> None:
    PostBuilder(Columns(), Path()).check_first(row, "The first object")


SAID = "they all have to go"


@pytest.mark.parametrize(
    ("row", "inside"),
    [
        ({"title": "Ann wrote", "data": [{"post": SAID}]}, "'data', under 'post'"),
        ({"title": "Ann wrote", "data": [{"comment": {"Comment Text": SAID}}]}, "'data', under 'Comment Text'"),
        ({"Title": "Ann wrote", "data": {"body": SAID}}, "'data', under 'body'"),
        ({"title": "Ann wrote", "tags": [{"text": "news"}], "data": {"post": SAID}}, "'data', under 'post'"),
    ],
)
def test_words_inside_an_object_are_not_left_out_for_the_title_beside_it(row: dict[str, object], inside: str) -> None:
    with pytest.raises(TableError, match=rf"{inside}, and beside it .*-column [tT]itle\. .* jq -c '\.\. \| objects"):
        PostBuilder(Columns(), Path()).check_first(row, "The first object")
    post = PostBuilder(Columns(), Path()).build(row, "line-2")
    assert post.error is not None
    assert post.error.code == "field_ambiguous"
    assert inside in post.error.message
    chosen = PostBuilder(Columns(text=next(iter(row))), Path())
    chosen.check_first(row, "The first object")
    assert chosen.build(row, "line-2").text == "Ann wrote"


@pytest.mark.parametrize(
    "beside",
    [
        {"tags": [{"text": "news"}]},
        {"author": {"description": SAID, "text": SAID}},
        {"media": [{"title": SAID, "description": SAID}]},
        {"comments": []},
        {"raw": {"guid": "1", "link": "x"}},
    ],
)
def test_a_title_is_the_text_beside_objects_that_hold_no_words_of_posts(beside: dict[str, object]) -> None:
    row = {"title": "Ann wrote", **beside}
    builder = PostBuilder(Columns(), Path())
    builder.check_first(row, "The first object")
    assert builder.build(row, "line-1").text == "Ann wrote"


@pytest.mark.parametrize("name", ["racist", "text"])
def test_a_doubled_column_of_an_annotated_table_is_refused(name: str) -> None:
    with pytest.raises(TableError, match=f"votes.csv has the column '{name}' twice; rename one"):
        AnyBuilder(Columns(), Path(), extra=True).open(["text", "racist", name], "votes.csv")
    AnyBuilder(Columns(), Path(), extra=True).open(["", "text", ""], "votes.csv")


@pytest.mark.parametrize(
    ("extra", "told"), [(True, ["column 'likes' stands twice; the last one is kept"]), (False, [])]
)
def test_a_doubled_column_is_told_where_columns_are_kept(*, extra: bool, told: list[str]) -> None:
    assert notes("", "text", "likes", "likes", "", extra=extra) == told
