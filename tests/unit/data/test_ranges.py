"""Ranges of files as one, names of packed files, and requests that are repeated."""

from __future__ import annotations

import gzip
import io
import time
from pathlib import Path

import pyarrow as pa
import pytest

from crossguard.data.ranges import Ranges, decompressed, retried, suffix_of
from crossguard.errors import StorageError


def test_requests_are_repeated_ever_later(monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float] = []
    monkeypatch.setattr(time, "sleep", waits.append)
    answers: list[Exception] = [OSError("slow down"), OSError("slow down")]

    def request() -> str:
        if answers:
            raise answers.pop()
        return "done"

    assert retried(request, "x") == "done"
    assert waits == pytest.approx([0.2, 0.6])
    answers += [OSError("down")] * 9
    with pytest.raises(StorageError, match="'x' cannot be reached: down"):
        retried(request, "x")


def test_a_request_that_the_storage_calls_invalid_is_not_repeated() -> None:
    asked = []

    def refuse() -> None:
        asked.append(1)
        raise pa.ArrowInvalid("google::cloud::Status(INVALID_ARGUMENT: bad name)\nmore")

    with pytest.raises(StorageError, match=r"refuses 'x': google::cloud::Status\(INVALID_ARGUMENT: bad name\)$"):
        retried(refuse, "x")
    assert len(asked) == 1


def ranges_of(path: Path, content: bytes, *ranges: tuple[int, int]) -> Ranges:
    path.write_bytes(content)
    return Ranges(pa.OSFile(str(path)), str(path), ranges or [(0, len(content))])


def test_ranges_are_read_and_sought_as_one_file(tmp_path: Path) -> None:
    with ranges_of(tmp_path / "a", b"0123456789", (1, 3), (6, 9)) as file:
        assert file.readall() == b"12678"
        assert (file.seek(-2, io.SEEK_END), file.read(9)) == (3, b"78")
        assert (file.seek(1), file.seek(1, io.SEEK_CUR), file.tell()) == (1, 2, 2)
        assert (file.read(1), file.read(9)) == (b"6", b"78")
        with pytest.raises(OSError, match="Invalid argument"):
            file.seek(-6, io.SEEK_END)
        assert file.tell() == 5


@pytest.mark.parametrize(
    ("name", "suffix"), [("a.CSV", ".csv"), ("a.b.jsonl.gz", ".jsonl"), ("a.tar.zst", ".tar"), ("a", ""), ("a.gz", "")]
)
def test_the_suffix_is_that_of_what_is_packed(name: str, suffix: str) -> None:
    assert suffix_of(name) == suffix


def test_packed_files_are_read_by_their_names(tmp_path: Path) -> None:
    packed = {"a.gz": gzip.compress(b"words"), "a.zst": pa.compress(b"words", "zstd", asbytes=True), "a": b"words"}
    for name, content in packed.items():
        assert decompressed(ranges_of(tmp_path / name, content), name).read() == b"words"
