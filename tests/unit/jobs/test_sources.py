"""Files, folders and patterns as files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image
from tests.support.object_storage import put_raw, s3_server
from tests.unit.jobs.conftest import write_jsonl

from crossguard.data.columns import Columns
from crossguard.data.storage import Storage
from crossguard.data.stored_posts import LeftOut
from crossguard.errors import LockedError, TableError
from crossguard.jobs.plan import cut_all
from crossguard.jobs.sources import InputFile, digest_of, sources_of


def sources(*inputs: Path | str) -> list[InputFile]:
    return list(sources_of([str(path) for path in inputs], unit_posts=2))


def names(*inputs: Path | str) -> list[str]:
    return [Path(source.entry.path).name for source in sources(*inputs)]


def test_a_folder_of_tables_is_read_in_order_and_without_markers(folder: Path) -> None:
    (folder / "_SUCCESS").touch()
    (folder / ".hidden.jsonl").write_text("{}")
    (folder / "notes.md").write_text("x")
    assert names(folder) == ["a.jsonl", "b.csv", "c.parquet"]
    (folder / "empty.csv").touch()
    assert names(folder)[-1] == "empty.csv", "an upload that failed is no marker"


def test_images_beside_tables_are_counted_and_read_where_that_is_wanted(folder: Path) -> None:
    left_out = LeftOut()
    for name in ("a.png", "b.JPG", "notes.md"):
        (folder / name).write_bytes(b"x")
    assert len(list(sources_of([str(folder), f"{folder}/*"], left_out=left_out))) == 3
    assert left_out.suffixes == {".png": 2, ".jpg": 2, ".md": 2}
    assert (left_out.images, left_out.others) == (4, {".md": 2})
    (images,) = sources_of([str(folder)], known="folder", left_out=left_out)
    assert (images.kind, images.names) == ("images", ("a.png", "b.JPG"))
    with pytest.raises(TableError, match=r"a\.jsonl' is no folder, and --input-format folder reads the images"):
        list(sources_of([str(folder / "a.jsonl")], known="folder"))


def test_images_of_a_folder_without_tables_lie_beside_nothing(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"x")
    (tmp_path / "posts.csv.bz2").write_bytes(b"x")
    left_out = LeftOut()
    assert [source.kind for source in sources_of([str(tmp_path)], left_out=left_out)] == ["images"]
    assert left_out.suffixes == {".csv.bz2": 1}


def test_a_folder_of_images_is_cut_by_number(tmp_path: Path) -> None:
    for index in range(5):
        Image.new("RGB", (4, 4)).save(tmp_path / f"{index}.png")
    found = sources(tmp_path)
    assert [source.names for source in found] == [("0.png", "1.png"), ("2.png", "3.png"), ("4.png",)]
    assert {source.kind for source in found} == {"images"}
    before = found[0].entry.changed
    Image.new("RGB", (5, 4)).save(tmp_path / "1.png")
    assert sources(tmp_path)[0].entry.changed != before, "a changed image makes another input"


def test_patterns_find_files_across_folders(tmp_path: Path) -> None:
    for name in ("2024/jan/a.jsonl", "2024/feb/b.jsonl", "2024/c.jsonl", "2025/d.jsonl"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        write_jsonl(tmp_path / name, 8)

    assert names(f"{tmp_path}/2024/**/*.jsonl") == ["c.jsonl", "b.jsonl", "a.jsonl"]
    assert names(f"{tmp_path}/*/?.jsonl") == ["c.jsonl", "d.jsonl"]
    with pytest.raises(TableError, match=r"No file that can be read matches '.*/\*\.csv'"):
        names(f"{tmp_path}/*.csv")


@pytest.mark.parametrize("pattern", ["", "/**/*.jsonl"])
def test_what_lies_in_the_output_folder_is_no_input(folder: Path, tmp_path: Path, pattern: str) -> None:
    (tmp_path / "link").symlink_to(folder)
    for name in ("out/00000/part.jsonl", "out.2/b.jsonl"):
        (folder / name).parent.mkdir(parents=True)
        write_jsonl(folder / name, 8)
    given = f"{folder}{pattern}"
    for output in (folder / "out", tmp_path / "link" / "out"):
        found = [Path(source.entry.path).name for source in sources_of([given], Storage(str(output)))]
        assert "part.jsonl" not in found
        assert {"a.jsonl", "b.jsonl"} <= set(found)


@pytest.mark.parametrize("pattern", ["", "/**/*.jsonl"])
def test_what_earlier_jobs_made_is_no_input_but_where_it_is_named(folder: Path, pattern: str) -> None:
    for name in ("own", "dec1", "deep/dec2"):
        for part in ("_job/lock", "00000/part-00000000-9f86d081-8-0.jsonl"):
            (folder / name / part).parent.mkdir(parents=True)
            write_jsonl(folder / name / part, 8)
    write_jsonl(folder / "deep" / "d.jsonl", 8)
    left_out = LeftOut()
    found = sources_of([f"{folder}{pattern}"], Storage(f"{folder}/own"), left_out=left_out)
    assert [Path(source.entry.path).name for source in found if source.kind == "jsonl"] == ["a.jsonl", "d.jsonl"]
    assert left_out.jobs == [f"{folder}/dec1", f"{folder}/deep/dec2"]
    assert len(names(folder / "dec1")) == 1


def test_a_subfolder_that_may_not_be_read_is_told_and_the_others_are_read(
    folder: Path, tmp_path: Path, lock: Callable[[Path], None]
) -> None:
    (folder / "deep").mkdir()
    write_jsonl(folder / "deep" / "d.jsonl", 8)
    (tmp_path / "images" / "deep").mkdir(parents=True)
    (tmp_path / "images" / "a.png").write_bytes(b"x")
    lock(folder / "deep")
    lock(tmp_path / "images" / "deep")
    found = sources(folder, f"{folder}/**", tmp_path / "images")
    assert [(Path(source.entry.path).name, source.kind) for source in found] == [
        ("a.jsonl", "jsonl"), ("b.csv", "csv"), ("c.parquet", "parquet"), ("deep", "unreadable"),
        ("images", "images"), ("deep", "unreadable"),
    ]  # fmt: skip
    (tmp_path / "images" / "a.png").unlink()
    assert [source.kind for source in sources(tmp_path / "images")] == ["unreadable"]
    lock(folder)
    with pytest.raises(LockedError, match="in' cannot be read: permission denied for this user"):
        sources(folder)


def test_images_in_the_output_folder_are_no_input(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    for name in ("a.png", "out/b.png"):
        Image.new("RGB", (4, 4)).save(tmp_path / name)
    assert [source.names for source in sources_of([str(tmp_path)], Storage(f"{tmp_path}/out"))] == [("a.png",)]


def test_overlapping_inputs_are_read_once(folder: Path) -> None:
    assert names(folder, folder / "a.jsonl", f"{folder}/*.csv") == names(folder)


def test_images_of_overlapping_folders_are_read_once(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    for name in ("a.png", "sub/b.png"):
        (tmp_path / name).write_bytes(b"x")
    assert [source.names for source in sources(tmp_path, tmp_path / "sub", tmp_path)] == [("a.png", "sub/b.png")]
    assert [source.names for source in sources(tmp_path / "sub", tmp_path)] == [("b.png",), ("a.png",)]


@pytest.mark.parametrize(
    ("name", "message"),
    [("none", "There is no"), ("in.xyz", "format of"), ("empty", "no images, and no tables to read")],
)
def test_an_input_that_is_none_is_told(tmp_path: Path, name: str, message: str) -> None:
    (tmp_path / "in.xyz").write_text("x")
    (tmp_path / "empty").mkdir()
    with pytest.raises(TableError, match=message):
        names(tmp_path / name)


def test_each_file_says_which_input_named_it(folder: Path, tmp_path: Path) -> None:
    other = write_jsonl(tmp_path / "other.jsonl", 8)
    assert [source.input for source in sources(other, folder)] == [0, 1, 1, 1]


def test_a_format_that_is_given_counts_more_than_a_name(tmp_path: Path) -> None:
    path = tmp_path / "export.dat"
    path.write_text('{"text": "a"}\n')
    (source,) = sources_of([str(path)], known="jsonl")
    assert source.kind == "jsonl"


def test_a_fingerprint_depends_on_every_line_and_their_order() -> None:
    assert digest_of([b"a", b"b"]) == digest_of(iter([b"ab"]))
    assert len({digest_of([b"a", b"b"]), digest_of([b"b", b"a"]), digest_of([])}) == 3


def test_an_object_whose_key_cannot_be_read_is_one_failed_post_of_its_prefix() -> None:
    with s3_server() as (address, _):
        for name in ("a.csv", "b//c.csv", "b//d/e.csv", "/f.csv"):
            put_raw(address.format("tables"), name, b"text\nhello\n")
        found = sources(address.format("tables"))
        assert [source.entry.path.partition("/tables/")[2] for source in found] == [
            "/f.csv",
            "a.csv",
            "b//c.csv",
            "b//d/e.csv",
        ]
        assert [bool(source.entry.problem) for source in found] == [True, False, True, True]
        for name in ("a.png", "b//c.png"):
            put_raw(address.format("images"), name, b"x")
        images, other = sources(address.format("images"))
        assert (images.names, other.kind) == (("a.png",), "unreadable")
        ((_, (unit,)),) = cut_all([other], Columns(), 2)
        assert "b//c.png' has an empty name between two slashes" in unit.problem
