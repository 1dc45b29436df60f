"""Rows as a training table: unknown labels are null, images are named from the table's folder."""

from __future__ import annotations

import errno
import json
import math
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from crossguard.data.datasets.rows import FIXED, LOST_IMAGES, Row, as_table, letters, write_table
from crossguard.errors import OutputError


def test_what_nobody_said_is_null_and_not_no(tmp_path: Path) -> None:
    rows = [Row("a", labels={"racist": 0.0}), Row("b", labels={"sexist": 1 / 3}, hateful=1.0)]
    table = as_table(rows, ("racist", "sexist"), "mine", tmp_path)
    assert table.column_names == [*FIXED, "racist", "sexist"]
    assert table["racist"].to_pylist() == [0.0, None]
    assert table["hateful"].to_pylist() == [None, 1.0]
    assert table["sexist"][0].as_py() is None
    assert math.isclose(table["sexist"][1].as_py(), 1 / 3, rel_tol=1e-6)
    assert set(table["source"].to_pylist()) == {"mine"}


def test_images_move_with_the_table(tmp_path: Path) -> None:
    rows = [Row("a", image=tmp_path / "raw" / "a.png"), Row("b")]
    assert as_table(rows, (), "mine", tmp_path / "tables")["image_path"].to_pylist() == ["../raw/a.png", ""]


def test_images_are_found_from_a_table_behind_a_link_and_through_one(tmp_path: Path) -> None:
    for folder in ("img", "disk/deep/tables", "other"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "tables").symlink_to(tmp_path / "disk" / "deep" / "tables")
    (tmp_path / "other" / "link").symlink_to(tmp_path / "img")
    (tmp_path / "img" / "0.png").touch()
    (tmp_path / "img" / "named.png").symlink_to(tmp_path / "img" / "0.png")
    images = [tmp_path / "img" / "named.png", tmp_path / "other" / "link" / ".." / "img" / "0.png"]
    table = as_table([Row("a", image=image) for image in images], (), "mine", tmp_path / "tables")
    paths = table["image_path"].to_pylist()
    assert [Path(path).name for path in paths] == ["named.png", "0.png"]
    assert all((tmp_path / "tables" / path).samefile(tmp_path / "img" / "0.png") for path in paths)


def test_a_table_of_nothing_has_its_columns_and_their_types(tmp_path: Path) -> None:
    table = as_table([], ("racist",), "mine", tmp_path)
    assert (len(table), table.schema.field("racist").type, table.schema.field("id").type) == (0, "float", "string")


def test_a_table_notes_what_was_lost_while_it_was_made(tmp_path: Path) -> None:
    write_table([Row("a", "words")], ("racist",), "mine", tmp_path / "deep" / "t.parquet", {"train": 3})
    metadata = pq.read_schema(tmp_path / "deep" / "t.parquet").metadata
    assert json.loads(metadata[LOST_IMAGES]) == {"train": 3}


def test_a_table_that_cannot_be_written_is_told_and_leaves_the_old_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fill_the_disk(_table: object, where: Path, **_how: object) -> None:
        Path(where).write_bytes(b"PAR1")
        raise OSError(errno.ENOSPC, "Error writing bytes to file. Detail: [errno 28] No space left on device")

    path = tmp_path / "t.parquet"
    write_table([Row("a", "words")], (), "mine", path)
    monkeypatch.setattr(pq, "write_table", fill_the_disk)
    with pytest.raises(OutputError, match=r"^Cannot write '.*t\.parquet': No space left on device\.$"):
        write_table([Row("b", "others")], (), "mine", path)
    assert pq.read_table(path)["id"].to_pylist() == ["a"]
    assert [file.name for file in tmp_path.iterdir()] == ["t.parquet"]


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (("Hello, you!", ""), ("hello YOU", ""), True),
        (("Straße", ""), ("STRASSE", ""), True),
        (("a_b", ""), ("ab", ""), True),
        (("hello", "you"), ("hello you", ""), True),
        (("hello 1", ""), ("hello 2", ""), False),
        (("ये मेरा है", ""), ("यी मारो हूं", ""), False),
        (("มา", ""), ("มี", ""), False),
        (("क़लम", ""), ("\u0958लम!", ""), True),
        (("cafe\u0301", ""), ("caf\u00e9", ""), True),
        (("so \u2764\ufe0f good 1\ufe0f\u20e3", ""), ("so good 1", ""), True),
        (("h\u0336e\u0336y", ""), ("hey", ""), True),
        (("hello you https://t.co/x1 @them", ""), ("RT @me: Hello you! HTTPS://t.co/x2", ""), True),
        (("hello t.co/x1", ""), ("hello", ""), True),
        (("hello WWW.one.com/x1", ""), ("hello www.two.org", ""), True),
        (("awww.so cute", ""), ("a", ""), False),
        (("hello, to first.last+x@one-mail.co.uk.", ""), ("Hello to Other@two.com", ""), True),
        (("hello you.@them ok", ""), ("hello @them ok", ""), False),
        (("art", ""), ("a", ""), False),
    ],
)
def test_copies_are_alike_but_for_case_punctuation_links_and_mentions(
    one: tuple[str, str], other: tuple[str, str], *, same: bool
) -> None:
    assert (letters(*one) == letters(*other)) is same
