"""Files here and in storages: found, opened, put, and what is told where that fails."""

from __future__ import annotations

import errno
import os
import shutil
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.support.object_storage import Faults, s3_server, upload

from crossguard.data.storage import Entry, Storage
from crossguard.data.writing import open_output
from crossguard.errors import ChangedError, ConfigError, LockedError, OutputError, StorageError, TableError


@pytest.fixture(scope="module")
def s3() -> Iterator[tuple[str, Faults]]:
    """The address of a bucket, with `{}` where a key goes, and what makes its server fail."""
    with s3_server() as server:
        yield server


def test_a_storage_that_is_down_is_told_and_not_taken_for_damage(
    s3: tuple[str, Faults], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    address, faults = s3
    (tmp_path / "a.jsonl").write_text('{"text": "a"}\n')
    upload(address.format("down"), tmp_path)
    place = Storage(address.format("down"))
    entry = place.entry(place.join("a.jsonl"))
    assert entry is not None
    monkeypatch.setattr(time, "sleep", lambda _: None)
    with place.open(entry) as stream:
        faults.left = 10_000
        with pytest.raises(StorageError, match=r"a\.jsonl' cannot be reached"):
            stream.readall()
        faults.left = 0


def test_a_file_is_put_at_once(tmp_path: Path) -> None:
    place = Storage(str(tmp_path / "out"))
    with place.scratch() as scratch:
        (scratch / "file").write_text("whole")
        place.put("00000/part", scratch / "file")
    assert (tmp_path / "out" / "00000" / "part").read_text() == "whole"
    assert list((tmp_path / "out" / "_unfinished").iterdir()) == []


def test_a_file_is_put_where_none_may_be_synchronised_that_is_open_for_reading_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on Windows."""
    monkeypatch.setattr(os, "fsync", lambda file: os.write(file, b""))
    place = Storage(str(tmp_path / "out"))
    with place.scratch() as scratch:
        (scratch / "file").write_text("whole")
        place.put("part", scratch / "file")
    assert (tmp_path / "out" / "part").read_text() == "whole"


def test_what_another_run_tidied_up_is_tried_again_and_told_from_a_refusal(tmp_path: Path) -> None:
    place = Storage(str(tmp_path))

    def write(name: str, *, tidied: bool) -> None:
        with place.scratch() as scratch:
            if tidied:
                shutil.rmtree(scratch)
            open_output(scratch / name, ["racist"])

    with pytest.raises(StorageError, match="is gone"):
        write("part.jsonl", tidied=True)
    with pytest.raises(OutputError, match="format"):
        write("part.odd", tidied=False)


@pytest.mark.parametrize(("code", "kind"), [(errno.ENOSPC, OutputError), (errno.EIO, StorageError)])
def test_a_full_disk_is_another_thing_than_a_slow_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int, kind: type[Exception]
) -> None:
    place = Storage(str(tmp_path))

    def refuse(*_: object) -> None:
        raise OSError(code, os.strerror(code))

    with place.scratch() as scratch:
        (scratch / "file").write_text("x")
        monkeypatch.setattr(Path, "replace", refuse)
        with pytest.raises(kind, match=os.strerror(code)):
            place.put("part", scratch / "file")


def test_a_file_that_changed_is_not_opened(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("one")
    place = Storage(str(tmp_path))
    entry = place.entry(place.join("a"))
    assert entry is not None
    with place.open(entry, [(0, 1), (2, 3)]) as stream:
        assert stream.readall() == b"oe"
    with pytest.raises(ChangedError, match="changed since"):
        place.open(Entry(entry.path, entry.size, 1))
    (tmp_path / "a").unlink()
    with pytest.raises(ChangedError, match="is gone since"):
        place.open(entry)


def test_an_address_that_is_none_is_told() -> None:
    with pytest.raises(TableError, match="Cannot understand the address"):
        Storage("s3://")


def test_what_hdfs_needs_is_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ARROW_LIBHDFS_DIR", "/none")
    for _ in range(2):
        with pytest.raises(ConfigError, match=r"'hdfs://namenode:8020/': .*Set JAVA_HOME, ARROW_LIBHDFS_DIR"):
            Storage("hdfs://namenode:8020/posts")


@pytest.mark.parametrize(
    ("address", "path", "again"),
    [
        ("gs://bucket/a/b", "bucket/a/b", "gs://bucket/a/b"),
        ("gs://anonymous@bucket/a/", "bucket/a", "gs://anonymous@bucket/a"),
        ("s3://bucket/a?region=us-east-1", "bucket/a", "s3://bucket/a"),
        ("s3://key:secret@bucket/?region=us-east-1", "bucket", "s3://bucket"),
        ("s3://bucket/part-000?.csv?region=us-east-1", "bucket/part-000?.csv", "s3://bucket/part-000?.csv"),
        (
            "gs://bucket/year=202?/month=01/*.csv",
            "bucket/year=202?/month=01/*.csv",
            "gs://bucket/year=202?/month=01/*.csv",
        ),
    ],
)
def test_a_path_is_told_as_an_address(address: str, path: str, again: str) -> None:
    place = Storage(address)
    assert (place.path, place.address_of(place.path)) == (path, again)


def test_what_another_run_puts_again_meanwhile_can_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file, times = tmp_path / "plan", iter(range(1, 9))
    file.write_bytes(b"the same")
    place = Storage(str(tmp_path))
    look_up = place.entry

    def look_up_before_it_is_put(path: str) -> Entry | None:
        found = look_up(path)
        os.utime(file, (0, next(times)))
        return found

    monkeypatch.setattr(place, "entry", look_up_before_it_is_put)
    stream = place.read("plan")
    assert stream is not None
    assert stream.read() == b"the same"


@pytest.mark.parametrize("kind", ["local", "gcs"])
def test_subfolders_with_a_job_are_told_and_left_out_where_that_is_wanted(
    tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a.jsonl", "_manifest.jsonl", "b/dec/_manifest.jsonl", "b/dec/0/p.jsonl", "b/x.jsonl", "c/_job/lock"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "c" / "0").mkdir()
    (tmp_path / "c" / "0" / "p.jsonl").touch()
    monkeypatch.setattr(Storage, "_lists_at_once", kind == "gcs")  # which lists all subfolders in one answer
    place, jobs = Storage(str(tmp_path)), list[str]()

    def names(**how: Any) -> list[str]:
        listed = place.list(place.path, deep=True, **how)
        return [Path(entry.path).relative_to(tmp_path).as_posix() for entry in listed]

    assert names(jobs=jobs) == ["a.jsonl", "b/x.jsonl"]
    assert jobs == [f"{tmp_path}/b/dec", f"{tmp_path}/c"]
    assert names() == ["a.jsonl", "b/dec/0/p.jsonl", "b/x.jsonl", "c/0/p.jsonl"]


def test_links_to_folders_are_not_followed(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.csv").write_text("text\nhello\n")
    (tmp_path / "in" / "b.csv").symlink_to("a.csv")
    (tmp_path / "in" / "loop").symlink_to(".")
    place = Storage(f"{tmp_path}/in")
    assert [Path(entry.path).name for entry in place.list(place.path, deep=True)] == ["a.csv", "b.csv"]


@pytest.mark.parametrize(
    ("pattern", "names"),
    [
        ("*", ["top.csv"]),
        ("*/*", ["a/one.csv"]),
        ("**", ["a/b/two.csv", "a/one.csv", "top.csv"]),
        ("a/**", ["a/b/two.csv", "a/one.csv"]),
        ("**.csv", ["a/b/two.csv", "a/one.csv", "top.csv"]),
        ("**/*.csv", ["a/b/two.csv", "a/one.csv", "top.csv"]),
        ("**/b/t?o.csv", ["a/b/two.csv"]),
    ],
)
def test_two_stars_match_across_folders_wherever_they_stand(tmp_path: Path, pattern: str, names: list[str]) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    for name in ("top.csv", "a/one.csv", "a/b/two.csv"):
        (tmp_path / name).write_text("text\nhello\n")
    assert [entry.path for entry in Storage(f"{tmp_path}/{pattern}").glob()] == [f"{tmp_path}/{name}" for name in names]


def test_signs_in_the_name_of_a_folder_that_is_there_are_no_wildcards(tmp_path: Path) -> None:
    for name in ("Who?/a/1.csv", "Who?/b/2.csv", "Whoa/a/1.csv"):
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).write_text("text\nhello\n")

    def found(pattern: str) -> list[str]:
        return [entry.path.removeprefix(f"{tmp_path}/") for entry in Storage(f"{tmp_path}/{pattern}").glob()]

    assert found("Who?/a/*.csv") == ["Who?/a/1.csv"]
    assert found("Who?/*/?.csv") == ["Who?/a/1.csv", "Who?/b/2.csv"]
    assert found("Who?/**") == ["Who?/a/1.csv", "Who?/b/2.csv"]
    assert found("W*/a/*.csv") == ["Who?/a/1.csv", "Whoa/a/1.csv"]


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere file systems take no such name")
def test_a_name_that_is_not_utf8_is_told_with_its_folder(tmp_path: Path) -> None:
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.png")).write_bytes(b"")
    with pytest.raises(TableError, match=rf"folder '{tmp_path}' has a name that is not UTF-8.*convmv"):
        list(Storage(str(tmp_path)).list(str(tmp_path)))


def test_what_is_neither_file_nor_folder_is_listed_with_its_problem(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("text\nhello\n")
    os.mkfifo(tmp_path / "pipe.csv")
    (tmp_path / "round.csv").symlink_to("round.csv")
    (tmp_path / "link.csv").symlink_to("gone.csv")
    place = Storage(str(tmp_path))
    entries = list(place.list(str(tmp_path), deep=True))
    assert [(Path(entry.path).name, entry.problem.partition("' ")[2]) for entry in entries] == [
        ("a.csv", ""),
        ("link.csv", "is a link to 'gone.csv', which is not there."),
        ("pipe.csv", "is a pipe, a device or a socket, and no file."),
        ("round.csv", "is a link to 'round.csv', which is not there."),
    ]
    with pytest.raises(TableError, match=r"link\.csv' is a link to 'gone\.csv'"):
        place.open(entries[1])


def test_a_pattern_tells_only_of_folders_that_it_may_match(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("2024-1/x.jsonl", "2024-2/_job/plan", "2024-3/x.jsonl", "other/_job/plan", "lost/x.jsonl"):
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).touch()
    found = Storage._found

    def asked(self: Storage, folder: str, *, deep: bool) -> Any:
        if folder.endswith(("lost", "2024-3")):
            raise LockedError(folder)
        return found(self, folder, deep=deep)

    monkeypatch.setattr(Storage, "_found", asked)
    place, jobs, locked = Storage(str(tmp_path / "2024-*" / "*.jsonl")), list[str](), list[Entry]()
    entries = list(place.glob(jobs=jobs, locked=locked))
    told = [
        [Path(path).relative_to(tmp_path).as_posix() for path in paths]
        for paths in ([entry.path for entry in entries], jobs, [entry.path for entry in locked])
    ]
    assert told == [["2024-1/x.jsonl"], ["2024-2"], ["2024-3"]]
    with pytest.raises(LockedError, match="2024-3"):
        list(place.glob())
