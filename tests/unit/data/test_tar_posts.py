"""Posts from tar files in the layout of WebDataset."""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path

import pytest
from tests.support.tables import packed

from crossguard.data import tar_posts
from crossguard.data.columns import Columns
from crossguard.data.post_builder import PostBuilder
from crossguard.data.tar_posts import read_tar
from crossguard.errors import TableError
from crossguard.records import Post


def hundred() -> bytes:
    """A hundred posts, each of a header and a block."""
    return packed({f"{number:03}.txt": b"hello" for number in range(100)})


def read(data: bytes) -> list[Post]:
    return list(read_tar(io.BytesIO(data), PostBuilder(Columns(), Path()), "'in.tar'"))


def test_files_of_one_name_are_one_post_and_others_are_left_out() -> None:
    members = {
        "a/1.jpg": b"picture",
        "a/1.txt": b"hello",
        "a/1.cls": b"3",
        "a/2.json": json.dumps({"id": "two", "text": "bye"}).encode(),
        "b/2.caption": b"same stem, other folder",
        "notes": b"nothing",
    }
    assert read(packed(members)) == [
        Post("a/1", "hello", b"picture"),
        Post("two", "bye"),
        Post("b/2", "same stem, other folder"),
    ]


def test_an_image_and_a_text_count_more_than_what_json_says_of_them() -> None:
    members = {
        "1.jpg": b"picture",
        "1.json": b'{"image": "train/1.jpg", "text": "hello"}',
        "2.json": b'{"image": null, "text": null, "id": "two"}',
        "2.txt": b"bye",
        "2.jpg": b"other",
        "3.txt": b"three",
        "3.json": b'{"text": null}',
    }
    assert read(packed(members)) == [Post("1", "hello", b"picture"), Post("two", "bye", b"other"), Post("3", "three")]


def test_no_group_with_a_member_that_is_read_is_lost() -> None:
    assert [post.id for post in read(packed({"1.json": b"{}", "2.txt": b"", "3.cls": b"3"}))] == ["1", "2"]


def test_a_member_without_a_name_is_left_out() -> None:
    assert read(packed({"1.txt": b"a", ".": b"nothing", "2.txt": b"b"})) == [Post("1", "a"), Post("2", "b")]


def test_hidden_members_of_macos_do_not_part_a_group() -> None:
    members = {"a/._1.jpg": b"Mac", "a/1.jpg": b"picture", "a/._1.txt": b"Mac", "a/1.txt": b"hello", ".DS_Store": b"x"}
    assert read(packed(members)) == [Post("a/1", "hello", b"picture")]


@pytest.mark.parametrize("second", ["photo.2.jpg", "photo.png", "photo.en.txt"])
def test_a_second_image_or_text_is_not_lost_without_a_word(second: str) -> None:
    bad, good = read(packed({"photo.1.jpg": b"one", "photo.txt": b"hello", second: b"two", "sunset.txt": b"fine"}))
    assert bad.error is not None
    assert (bad.id, bad.error.code) == ("photo", "field_ambiguous")
    assert second in bad.error.message
    assert good == Post("sunset", "fine")


def test_a_text_is_read_whatever_dots_its_name_has() -> None:
    assert read(packed({"j.doe.txt": b"hello"})) == [Post("j", "hello")]


def test_image_and_text_that_stand_apart_are_no_two_posts() -> None:
    data = packed({"a/1.jpg": b"picture", "a/2.jpg": b"other", "a/1.txt": b"one", "a/2.txt": b"two"})
    with pytest.raises(TableError, match=r"'a/1' stand apart.*tar --sort=name"):
        read(data)


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE])
@pytest.mark.parametrize("name", ["2.png", "2.txt", "2.json"])
def test_a_link_fails_its_post_and_is_not_left_out_of_it(name: str, kind: bytes) -> None:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for each in ("1.txt", "2.caption", name, "2.cls", "3.txt"):
            info = tarfile.TarInfo(each)
            if each in {name, "2.cls"}:
                info.type, info.linkname = kind, "1.txt"
            tar.addfile(info)
    _, bad, last = read(buffer.getvalue())
    assert bad.error is not None
    # A caption and a text are two texts, which is told first.
    assert (bad.id, bad.error.code) == ("2", "field_ambiguous" if name == "2.txt" else "member_is_link")
    assert f"'{name}' is a " in bad.error.message
    assert (last.id, last.error) == ("3", None)


def test_a_tar_file_without_any_post_is_told_and_an_empty_one_is_not() -> None:
    with pytest.raises(TableError, match=r"'in\.tar' has no posts: .*\.caption, \.text, \.txt"):
        read(packed({"1.cls": b"3", "notes": b""}))
    assert read(packed({})) == []


@pytest.mark.parametrize(
    ("name", "content", "code"),
    [
        ("1.txt", b"\xff\xfe", "invalid_utf8"),
        ("1.json", b"{no", "line_malformed"),
        ("1.json", b"null", "line_malformed"),
        ("1.json", b'["a"]', "line_malformed"),
        ("1.txt", b"x" * 11, "member_too_large"),
    ],
)
def test_a_bad_member_fails_its_post_alone(
    name: str, content: bytes, code: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tar_posts, "MAX_LINE_BYTES", 10)
    bad, good = read(packed({name: content, "2.txt": b"fine"}))
    assert bad.error is not None
    assert (bad.id, bad.error.code) == ("1", code)
    assert good == Post("2", "fine")


@pytest.mark.parametrize("data", [b"not a tar file at all", packed({"1.txt": b"a", "2.txt": b"b" * 5000})[:2500]])
def test_a_damaged_file_is_told(data: bytes) -> None:
    with pytest.raises(TableError, match=r"'in\.tar' is damaged after"):
        read(data)


def test_what_follows_damage_is_not_lost_without_a_word() -> None:
    data, at = hundred(), 50 * 2 * tarfile.BLOCKSIZE
    flipped = bytearray(data)
    flipped[at] ^= 1
    for damaged in (
        bytes(flipped),
        data[:at],  # between two members
        data[: at + 100],
        data[:at] + bytes(1024) + data[at + 1024 :],
        data[:at] + b"x" * 4096 + data[at + 4096 :],
    ):
        posts = read_tar(io.BytesIO(damaged), PostBuilder(Columns(), Path()), "'in.tar'")
        # The last one before may lack a file, so it counts as lost, too.
        assert [next(posts).id for _ in range(49)][-1] == "048"
        with pytest.raises(TableError, match=r"'in\.tar' is damaged after 49 posts"):
            next(posts)


def test_files_joined_by_cat_are_told() -> None:
    with pytest.raises(TableError, match="joined by cat"):
        read(hundred() + hundred())


def test_one_block_of_zeros_is_an_end() -> None:
    members = 100 * 2 * tarfile.BLOCKSIZE
    assert len(read(hundred()[: members + tarfile.BLOCKSIZE])) == 100
    with pytest.raises(TableError, match="the zeros at its end are missing"):
        read(hundred()[:members])
