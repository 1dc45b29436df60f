"""What people hand over becomes posts: one in any shape is one, many in any shape are many, the rest is told."""

from __future__ import annotations

import io
import json
import warnings
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image
from tests.support.pictures import encoded

from crossguard.bundle import Bundle
from crossguard.errors import ConfigError, InputError, PostError, TableError
from crossguard.moderator import Moderator
from crossguard.posts import as_posts
from crossguard.records import Decision, Post
from crossguard.results import Results

pd = pytest.importorskip("pandas", reason="data frames need pandas")
FRAME = pd.DataFrame({"Comment": ["hello", None, "good"], "likes": [1, 2, 3]}, index=["a", "b", "c"])


def brief(posts: Any) -> list[tuple[str, str]]:
    return [(post.id, post.text if post.error is None else f"!{post.error.code}") for post in as_posts(posts)]


@pytest.mark.parametrize("post", ["hello", Post("x", "hello"), {"text": "hello"}, {"Text": "hello", "likes": 3}])
def test_one_post_in_any_shape_is_one_decision(tiny: Moderator, post: Any) -> None:
    decision = tiny.score(post)
    assert isinstance(decision, Decision)
    assert decision.scores == tiny.score(text="hello").scores
    assert [row.scores for row in tiny.score([post])] == [decision.scores]


@pytest.mark.parametrize(
    "posts",
    [
        ["hello", "good"],
        ("hello", "good"),
        iter(["hello", "good"]),
        [{"id": "0", "text": "hello"}, {"id": "1", "text": "good"}],
        pd.Series(["hello", "good"]),
        np.array(["hello", "good"]),
        pd.DataFrame({"text": ["hello", "good"]}),
        pa.table({"text": ["hello", "good"]}),
        pa.array(["hello", "good"]),
        pa.chunked_array([["hello"], ["good"]]),
        pa.record_batch({"text": ["hello", "good"]}),
        pa.table({"id": ["0", "1"], "TEXT": ["hello", "good"], "n": [1, 2]}),
    ],
)
def test_many_posts_in_any_shape_are_one_decision_each(tiny: Moderator, posts: Any) -> None:
    results = tiny.score(posts)
    assert isinstance(results, Results)
    assert [(row.id, row.ok) for row in results] == [("0", True), ("1", True)]
    assert results[0].scores == tiny.score(text="hello").scores


def test_times_are_ids_of_one_form_in_pandas_and_arrow() -> None:
    frame = pd.DataFrame({"id": pd.to_datetime(["2026-03-29T02:30:00"]), "text": ["a"]})
    assert brief(pa.Table.from_pandas(frame)) == brief(frame) == [("2026-03-29T02:30:00", "a")]


def test_polars_goes_as_pandas_does() -> None:
    pl = pytest.importorskip("polars", reason="polars is not installed")
    assert brief(pl.DataFrame({"id": [7, 8], "text": ["a", "b"]})) == [("7", "a"), ("8", "b")]
    assert brief(pl.Series(["a", None])) == [("0", "a"), ("1", "")]


def test_a_frame_names_posts_by_its_index_and_carries_other_columns() -> None:
    assert brief(FRAME) == [("a", "hello"), ("b", ""), ("c", "good")]
    assert [post.extra for post in as_posts(FRAME)] == [{"likes": 1}, {"likes": 2}, {"likes": 3}]
    assert brief(FRAME["Comment"]) == [("a", "hello"), ("b", ""), ("c", "good")]
    assert brief(pd.DataFrame({"text": ["a", pd.NA]}, dtype="string")) == [("0", "a"), ("1", "")]
    assert brief(pd.DataFrame({"text": ["a", "b"], "image": [pd.NaT, pd.NA]})) == [("0", "a"), ("1", "b")]
    assert brief(pd.DataFrame({"id": [1.0, np.nan], "text": ["a", np.nan]})) == [("1", "a"), ("1", "")]


def test_what_is_no_post_fails_alone(tiny: Moderator) -> None:
    odd = ["hello", None, float("nan"), 7, b"bytes", ["list"], {"txt": "hello"}, {"text": 5}, {"text": ["x"]}, {}]
    results = tiny.score(odd)  # type: ignore[arg-type]  # the mistakes under test
    codes = [row.error.code if row.error else "" for row in results]
    types = ["post_bad_type"] * 5
    assert codes == ["", *types, "post_unknown_fields", "", "field_bad_type", "post_empty"]
    assert "nan" in str(results[2].error)
    assert results.failed.posts[0].id == "1"


def test_a_text_in_the_place_of_an_id_is_told(tiny: Moderator) -> None:
    with pytest.raises(PostError, match=r"Behind the id comes the text: Post\('1', 'hello'\)") as refused:
        tiny.score(Post("hello"))
    assert refused.value.code == "post_empty"
    with pytest.raises(PostError, match="no visible text"):
        tiny.score(Post("post"))
    assert tiny.score(Post("hello", image=np.zeros((8, 8, 3), np.uint8))).ok
    assert tiny.score(Post("hello", image_text="you")).ok


def test_what_a_post_should_not_hold_fails_alone(tiny: Moderator) -> None:
    odd: list[Any] = [float("nan"), None, 7, ["list"], "\ud800 hello", pd.NA]
    results = tiny.score([*(Post(str(n), text) for n, text in enumerate(odd)), Post(9, "hello")])  # type: ignore[arg-type]
    codes = [row.error.code if row.error else "" for row in results]
    assert codes == ["post_empty", "post_empty", "", "field_bad_type", "", "post_empty", ""]
    assert results[-1].id == "9"
    with pytest.raises(PostError, match="must be a text, not list"):
        tiny.score(text=["hello"])  # type: ignore[call-overload]
    with pytest.raises(PostError, match="nothing to score"):
        tiny.score(text=None, image=float("nan"))  # type: ignore[call-overload]


def test_a_file_that_gives_no_image_fails_alone(tiny: Moderator) -> None:
    closed = io.BytesIO(b"x")
    closed.close()
    for image in (io.StringIO("text"), closed):
        results = tiny.score([{"text": "hello", "image": image}, Post("x", image=image), "hello"])  # type: ignore[arg-type]
        assert [row.error.code if row.error else "" for row in results] == ["image_unreadable", "image_unreadable", ""]


@pytest.mark.parametrize("name", ["meme.jpg", "no/such/MEME.PNG", "https://example.com/meme.webp", "posts.csv"])
def test_a_text_that_names_a_file_is_scored_with_a_warning(tiny: Moderator, name: str) -> None:
    with pytest.warns(UserWarning, match="score\\(image="):
        assert tiny.score(name).ok
    with pytest.warns(UserWarning, match="score_file\\("):
        assert tiny.score(["hello", name])[1].ok
    tiny.score(text=name)


def test_a_text_may_be_longer_than_the_name_of_a_file(tiny: Moderator) -> None:
    assert tiny.score([f"{chr(0x1F600) * 100} meme.png"])[0].ok


def test_keys_that_are_no_texts_are_further_fields(tiny: Moderator) -> None:
    """As `to_dict("records")` of a data frame gives them whose columns are counted."""
    post: Mapping[Any, str] = {0: "x", "text": "hello"}
    assert tiny.score(post).scores == tiny.score("hello").scores


def test_a_name_with_spaces_is_a_file_only_if_it_is_there(tiny: Moderator, tmp_path: Path) -> None:
    path = tmp_path / "look at this.gif"
    tiny.score(str(path))
    path.touch()
    with pytest.warns(UserWarning, match="score\\(image="):
        tiny.score(str(path))
    tiny.score(["hello.", "I am on hello.friends", "good morning.jpeg and you"])


@pytest.mark.parametrize("many", [list, pd.DataFrame, pa.Table.from_pylist])
def test_an_address_of_an_image_that_is_not_read_is_told(tiny: Moderator, many: Callable[[Any], Any]) -> None:
    row = {"text": "hello", "image_url": "https://example.com/meme.jpg"}
    with pytest.warns(UserWarning, match="'image_url' is not read: images are never fetched here"):
        assert tiny.score(many([row]))[0].ok
    (other,) = tiny.score(many([{**row, "image_path": "nothing.jpg"}]))  # without a warning, which would be an error
    assert other.error is not None


@pytest.mark.parametrize("many", [list, pd.DataFrame, pa.Table.from_pylist])
def test_several_images_in_one_column_are_told(tiny: Moderator, many: Callable[[Any], Any]) -> None:
    with pytest.warns(UserWarning, match="'images' is not read: these posts .* a Post with more_images"):
        assert tiny.score(many([{"text": "hello", "images": ["a.jpg", "b.jpg"]}]))[0].ok


@pytest.mark.parametrize("many", [list, pd.DataFrame, pa.Table.from_pylist])
def test_a_title_that_is_not_scored_is_told(tiny: Moderator, many: Callable[[Any], Any]) -> None:
    with pytest.warns(UserWarning, match="'title' is not scored; join it to the text"):
        assert tiny.score(many([{"title": "hello", "text": "there"}]))[0].ok
    assert tiny.score(many([{"title": "hello"}]))[0].ok  # without a warning: it is the text


def test_a_row_of_an_arrow_table_that_is_not_utf8_fails_alone() -> None:
    offsets = pa.py_buffer(np.array([0, 1, 2, 3], dtype=np.int32))
    column = pa.Array.from_buffers(pa.string(), 3, [None, offsets, pa.py_buffer(b"a\xffc")])
    assert brief(pa.table({"text": column})) == [("0", "a"), ("1", "!invalid_utf8"), ("2", "c")]


def test_representations_are_short(tiny: Moderator) -> None:
    post = Post("7", "hello " * 100, image=b"x" * 10_000)
    for thing in (post, Post.failed("8", "post_empty", "Empty."), tiny, tiny.bundle, tiny.policy, tiny.score("hello")):
        assert len(repr(thing)) < 200
        assert len(str(thing)) < 200


def test_a_closed_moderator_says_so(tiny_bundle: Bundle) -> None:
    with Moderator.load(tiny_bundle.folder) as moderator:
        other = moderator.with_policy("benchmark")
    for closed in (moderator, other):
        for posts in ("hello", ["hello"]):
            with pytest.raises(InputError, match="was closed"):
                closed.score(posts)


@pytest.mark.parametrize(
    ("posts", "words"),
    [
        (7, "Many posts are"),
        (None, "nothing to score"),
        ({"hello"}, "Many posts are"),
        (Path("posts.csv"), "score_file"),
        (b"image", "score\\(image="),
        (Image.new("RGB", (9, 9)), "score\\(image="),
        (np.zeros((9, 9, 3), np.uint8), "score\\(image="),
        (pd.DataFrame({"text": ["a"], "likes": [1]}).to_numpy(), "This is ndarray"),
        (pd.DataFrame({"words": ["a"]}), r"To read one: rename it to 'text' or .*\. Or score one column: score\(table"),
        (pd.DataFrame({"comment": ["a"], "message": ["b"]}), "comment, message"),
        (pd.DataFrame({"text": ["a"]}).iloc[0], "a row of a DataFrame into score\\(dict"),
        (SimpleNamespace(collect=list, columns=["text"]), "collect\\(\\) first"),
    ],
)
def test_anything_else_is_told(tiny: Moderator, posts: Any, words: str) -> None:
    with pytest.raises((InputError, TableError), match=words):
        tiny.score(posts)


def test_stream_takes_many_and_says_so_for_one(tiny: Moderator) -> None:
    assert [row.id for row in tiny.stream(FRAME)] == ["a", "b", "c"]
    for one in ("hello", {"text": "hello"}, Post("x", "hello")):
        with pytest.raises(InputError, match="this is one post"):
            list(tiny.stream(one))  # type: ignore[arg-type]


def test_a_single_post_that_cannot_be_scored_raises(tiny: Moderator) -> None:
    for one in ("", {"text": ""}, Post("x"), {"words": "hello"}, {"text": True}):
        with pytest.raises(PostError):
            tiny.score(one)


def test_file_objects_and_arrays_are_images(tiny: Moderator) -> None:
    image = Image.new("RGB", (20, 20), "navy")
    buffer = io.BytesIO(encoded(image, "PNG"))
    buffer.read()
    expected = tiny.score(image=image).scores
    assert tiny.score(image=buffer).scores == expected
    assert tiny.score({"image": buffer}).scores == expected
    assert tiny.score({"image": np.asarray(image)}).scores == expected
    assert tiny.score([{"image": bytearray(buffer.getvalue())}])[0].scores == expected


def test_a_tenant_without_tenants_is_an_error(tiny: Moderator) -> None:
    with pytest.raises(ConfigError, match="needs a policy file"):
        tiny.with_policy("default", tenant="games")
    with pytest.raises(ConfigError, match="needs a policy file"):
        tiny.with_policy(tiny.policy, tenant="games")


def test_what_must_not_be_assigned_is_read_only(tiny: Moderator) -> None:
    for name in ("bundle", "runtime", "policy", "labels", "threshold"):
        with pytest.raises(AttributeError):
            setattr(tiny, name, None)
    with pytest.raises(AttributeError):
        tiny.score("hello").id = "x"  # type: ignore[misc]


def test_records_are_json_as_they_are_and_come_back(tiny: Moderator) -> None:
    results = tiny.score(["hello", None])  # type: ignore[list-item]
    records = json.loads(json.dumps(results.to_dicts()))
    assert [Decision.from_dict(record).to_dict() for record in records] == records


def test_a_mapping_lists_further_images_as_a_post_does() -> None:
    post = Post("7", "hello", "a.png", more_images=("b.png", "c.png"))
    (again,) = as_posts([asdict(post)])
    assert again.images == post.images
    (only,) = as_posts([{"more_images": ["b.png", None]}])
    assert (only.images, dict(only.extra), only.error) == (("b.png",), {}, None)
    frame = pd.DataFrame({"text": ["x", "y", "z"], "more_images": [["b.png"], None, np.array(["c.png"], dtype=object)]})
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert [row.images for row in as_posts(frame)] == [("b.png",), (), ("c.png",)]
    (wrong,) = as_posts([{"text": "x", "more_images": "b.png"}])
    assert wrong.error is not None
    assert wrong.error.message == "'more_images' must be a list of images, not str."


@pytest.mark.parametrize(
    ("key", "said"),
    [("imagetext", "is not scored"), ("filename", "call it image_path"), ("imge_path", "Give image=")],
)
def test_a_key_that_may_be_a_part_of_the_post_is_told(key: str, said: str) -> None:
    with pytest.warns(UserWarning, match=f"'{key}' .*{said}"):
        list(as_posts([{"text": "hello", key: "x"}]))
