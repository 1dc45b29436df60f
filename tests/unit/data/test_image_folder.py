"""Posts from folders of images."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.support.tables import read, write

from crossguard.data.tables import PostReader
from crossguard.errors import TableError


class TestFolder:
    def test_pictures_in_order(self, tmp_path: Path) -> None:
        for name in ("b/2.jpg", "b/10.PNG", "a.webp", "c.gif", ".hidden/x.png", "notes.txt", ".x.png"):
            (tmp_path / name).parent.mkdir(exist_ok=True)
            write(tmp_path / name, "x")
        (tmp_path / "loop").symlink_to(tmp_path)
        reader = PostReader(tmp_path)
        posts = list(reader)
        assert [post.id for post in posts] == ["a.webp", "b/10.PNG", "b/2.jpg", "c.gif"]
        assert [post.image for post in posts] == [tmp_path / post.id for post in posts]
        assert reader.warnings == [
            "1 file was left out: its name is not an image's.",
            "1 linked folder was not followed: score it by its own path.",
        ]

    @pytest.mark.parametrize(
        ("names", "told"),
        [
            (["notes.txt", "readme.md"], None),
            (["a.csv"], "a.csv"),
            (["a.json", "metadata.csv"], "metadata.csv --image-path-column file_name"),
            (["metadata.jsonl", "z.csv"], "metadata.jsonl --image-path-column file_name"),
        ],
    )
    def test_a_table_among_the_images_is_named_as_it_may_hold_their_words(
        self, tmp_path: Path, names: list[str], told: str | None
    ) -> None:
        for name in ("1.jpg", *names):
            write(tmp_path / name, "x")
        reader = PostReader(tmp_path)
        assert len(list(reader)) == 1
        said = [warning for warning in reader.warnings if "words of these images" in warning]
        assert [warning.partition("To score both: ")[2] for warning in said] == (
            [] if told is None else [f"crossguard score {tmp_path}/{told}"]
        )

    def test_links_to_folders_are_told_whatever_they_are_called(self, tmp_path: Path) -> None:
        (tmp_path / "posts").mkdir()
        for name in ("a.png", "b"):
            (tmp_path / "posts" / name).symlink_to(tmp_path)
        with pytest.raises(TableError, match=r"\(0 other files\). 2 linked folders were not followed:"):
            read(tmp_path / "posts")

    def test_no_pictures(self, tmp_path: Path) -> None:
        write(tmp_path / "a.txt", "x")
        with pytest.raises(TableError, match="No images"):
            read(tmp_path)

    def test_name_that_is_not_utf8(self, tmp_path: Path) -> None:
        (tmp_path / b"\xff.png".decode("utf-8", "surrogateescape")).touch()
        assert [post.id for post in read(tmp_path)] == ["\ufffd.png"]
