"""Formats by names and first bytes, and sources that are none."""

from __future__ import annotations

import io
import shlex
from pathlib import Path

import pytest
from tests.support.tables import write

from crossguard.data.formats import format_of, how_to_score_images, images_among, kind_of
from crossguard.data.tables import PostReader
from crossguard.errors import TableError


@pytest.mark.parametrize(
    ("name", "expected"),
    [("a.NDJSON", "jsonl"), ("a.csv.gz", "csv"), ("b.TSV.GZ", "csv"), ("a.pq", "parquet"), ("a.xlsx", "xlsx")],
)
def test_a_suffix_tells_the_format(name: str, expected: str) -> None:
    assert format_of(name) == expected


def test_packed_files_that_are_no_text_have_no_format(tmp_path: Path) -> None:
    with pytest.raises(TableError, match="not clear from its name"):
        format_of(str(write(tmp_path / "a.parquet.gz", "x")))


@pytest.mark.parametrize("name", ["a.tar", "a.tar.gz", "a.arrow", "a.feather", "a.csv.zst"])
def test_what_only_jobs_read_says_how(tmp_path: Path, name: str) -> None:
    path = write(tmp_path / name, "x")
    unpack = rf"\. For another command, unpack it first: unzstd {path}" if name.endswith(".zst") else ""
    with pytest.raises(TableError, match=rf"is scored in a job, .*: crossguard score {path} -o decisions/{unpack}$"):
        format_of(str(path))


def test_a_folder_is_one(tmp_path: Path) -> None:
    assert format_of(str(tmp_path)) == "folder"


@pytest.mark.parametrize("name", ["x" * 300, f"{'x' * 300}.csv"])
def test_what_is_no_name_at_all_cannot_be_read(name: str) -> None:
    with pytest.raises(TableError, match="File name too long"):
        next(iter(PostReader(name)))


def test_a_closed_stdin_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """As cron and systemd start a process, and `score - <&-`."""
    monkeypatch.setattr("sys.stdin", None)
    for form in (None, "txt"):
        with pytest.raises(TableError, match="stdin is closed"):
            list(PostReader("-", format=form))


def test_missing_file_suggests_a_neighbour(tmp_path: Path) -> None:
    write(tmp_path / "posts.jsonl", "x")
    with pytest.raises(TableError, match=r"Did you mean '.*posts\.jsonl'"):
        PostReader(tmp_path / "post.jsonl")
    with pytest.raises(TableError, match="No such file"):
        PostReader(tmp_path / "no" / "where")


@pytest.mark.parametrize("name", ["a.jsonl", "a.csv", "a.parquet"])
def test_empty_file(tmp_path: Path, name: str) -> None:
    with pytest.raises(TableError, match="empty"):
        PostReader(write(tmp_path / name, ""))


def test_picture_instead_of_a_table(tmp_path: Path) -> None:
    for name in ("a.png", "my a.JPG"):
        path = write(tmp_path / name, "x")
        with pytest.raises(TableError) as told:
            PostReader(path)
        assert f"crossguard score --image {shlex.quote(str(path))}; or all of its folder:" in str(told.value)
        assert str(told.value).endswith(f": crossguard score {tmp_path}/")


@pytest.mark.parametrize(
    ("images", "command"),
    [
        (["few/a.jpg", "few/b.jpg"], "few/"),
        (["a.jpg", "b.jpg"], "."),
        (["few/*.jpg"], "few/"),
        (["few/**/*.jpg"], "few/"),
        (["few/*/a?.jpg"], "few/"),
        (["my few/a.jpg", "more/b.jpg"], "'my few/' more/ -o decisions/"),
        (["s3://bucket/few/a.jpg"], "s3://bucket/few/ -o decisions/"),
        (["s3://bucket/few/*.jpg?region=a&scheme=b"], "'s3://bucket/few/?region=a&scheme=b' -o decisions/"),
    ],
)
def test_images_instead_of_tables_are_scored_by_their_folder(images: list[str], command: str) -> None:
    assert how_to_score_images(images) == f"These are images. Score their folder: crossguard score {command}"


def test_a_folder_is_no_image(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").mkdir()
    sources = [str(tmp_path / "a.jpg"), "b.csv", "few/b.JPEG", "few/*.png", "few/*"]
    assert images_among(sources) == ["few/b.JPEG", "few/*.png"]


def test_folder_given_as_a_table(tmp_path: Path) -> None:
    with pytest.raises(TableError, match="is a folder"):
        PostReader(tmp_path, format="csv")
    with pytest.raises(TableError, match="is not a folder"):
        PostReader(write(tmp_path / "a.csv", "x"), format="folder")


@pytest.mark.parametrize("content", [b"id,text\n1,a\n", b"\xef\xbb\xbfid;text\n1;a\n", b'[{"id": 1, "text": "a"}]'])
def test_stdin_is_known_by_its_start(monkeypatch: pytest.MonkeyPatch, content: bytes) -> None:
    buffered = io.BufferedReader(io.BytesIO(content))
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(buffered))
    assert [post.text for post in PostReader("-")] == ["a"]


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("a/POSTS.CSV.GZ", "csv"),
        ("a.jsonl.zst", "jsonl"),
        ("a.tar.gz", "tar"),
        ("a.feather", "arrow"),
        ("a.pq", "parquet"),
        ("a.parquet.gz", None),  # a column file has no beginning that could be read without its end
        ("a.jpg", None),
    ],
)
def test_how_a_file_is_read_follows_from_its_name(name: str, kind: str | None) -> None:
    assert kind_of(name) == kind


@pytest.mark.parametrize(("suffix", "program"), [(".zip", "unzip"), (".bz2", "bunzip2"), (".xz", "unxz")])
def test_a_packed_table_is_told_how_to_unpack(tmp_path: Path, suffix: str, program: str) -> None:
    path = tmp_path / f"posts.csv{suffix}"
    path.write_bytes(b"packed")
    with pytest.raises(TableError, match=f"Unpack it first: {program} "):
        format_of(str(path))
