"""A file of decisions while it is written: full disks, two runs, and its journal."""

from __future__ import annotations

import errno
import io
import itertools
import os
from contextlib import suppress
from pathlib import Path

import pytest
from tests.support.decisions import decision
from tests.support.written import ROWS, write

from crossguard.data.outputs import Output, journal_of, write_failure
from crossguard.data.row_formats import JsonlRows
from crossguard.data.writing import open_output, read_decisions
from crossguard.errors import OutputError
from crossguard.labels import HATE


class TestFullDisk:
    def test_device(self) -> None:
        output = open_output(Path("/dev/full"), HATE.names, format="jsonl")
        output.start()
        output.write(ROWS[0])
        with pytest.raises(OutputError, match=r"No space left on device\.$"):  # and nothing that could be continued
            output.close()

    def test_only_where_there_are_rows_they_can_be_continued(self, tmp_path: Path) -> None:
        error = OSError(errno.ENOSPC, "No space left on device")
        assert "--resume" not in str(write_failure(str(tmp_path / "out.xlsx"), error))
        (tmp_path / "out.xlsx.journal").write_text("{}")
        assert "--resume" in str(write_failure(str(tmp_path / "out.xlsx"), error))

    def test_complete_rows_stay_and_are_continued(self, tmp_path: Path) -> None:
        whole = b"".join(map(JsonlRows().encode, ROWS))
        for room in range(0, len(whole), 29):
            path = tmp_path / "out.jsonl"
            with path.open("wb") as file:
                writer = Output(_SmallDisk(file, room), JsonlRows(), str(path))
                for row in ROWS:
                    writer.write(row)
                with pytest.raises(OutputError, match="No space left"):
                    writer.flush()
            with open_output(path, HATE.names, resume=True) as output:
                there = len(list(output.previous()))
                output.start()
                for row in ROWS[there:]:
                    output.write(row)
            assert path.read_bytes() == whole


class _SmallDisk(io.BytesIO):
    """Takes some bytes, then has no room, as write(2) on a full disk does."""

    def __init__(self, file: io.BufferedWriter, room: int) -> None:
        super().__init__()
        self._file, self._room = file, room

    def write(self, data: bytes) -> int:  # type: ignore[override]
        if not self._room:
            raise OSError(errno.ENOSPC, "No space left on device")
        taken = self._file.write(bytes(data[: self._room]))
        self._room -= taken
        return taken


def test_rows_reach_the_disk_while_the_run_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl"
    with open_output(path, HATE.names) as output:
        output.start()
        for number in range(100):
            output.write(decision(str(number)))
        assert 64 <= path.read_bytes().count(b"\n") <= 100
    assert path.read_bytes().count(b"\n") == 100


def test_a_journal_goes_where_no_open_file_may_be_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As on Windows."""

    def unlink(path: Path, missing_ok: bool = False) -> None:
        links = [f"/proc/self/fd/{name}" for name in os.listdir("/proc/self/fd")]  # noqa: PTH208
        if str(path) in [os.readlink(link) for link in links if os.path.islink(link)]:  # noqa: PTH114, PTH115
            raise PermissionError(errno.EACCES, "It is being used", str(path))
        if path.exists() or not missing_ok:
            os.unlink(path)  # noqa: PTH108 - what is replaced

    if not Path("/proc/self/fd").is_dir():
        pytest.skip("needs /proc")
    monkeypatch.setattr(Path, "unlink", unlink)
    write(path := tmp_path / "out.parquet")
    assert [row.id for row in read_decisions(path)] == [row.id for row in ROWS]
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("name", ["out.parquet", "out.xlsx"])
def test_a_finished_file_that_is_not_continued_stays_alone(tmp_path: Path, name: str) -> None:
    write(path := tmp_path / name)
    before = path.read_bytes()
    for rows in (1, 3):
        with suppress(KeyboardInterrupt), open_output(path, HATE.names, resume=True) as output:
            assert len(list(itertools.islice(output.previous(), rows))) == rows
            raise KeyboardInterrupt
        assert list(tmp_path.iterdir()) == [path]
    assert path.read_bytes() == before
    with open_output(path, HATE.names, resume=True) as output:
        list(output.previous())
        output.start()
    assert sorted(tmp_path.iterdir()) == [path, journal_of(path)]


class TestTwoRuns:
    @pytest.mark.parametrize("name", ["out.jsonl", "out.csv", "out.parquet"])
    def test_one_output_is_written_by_one_run(self, tmp_path: Path, name: str) -> None:
        path = tmp_path / name
        with open_output(path, HATE.names) as first:
            first.start()
            first.write(ROWS[0])
            second = open_output(path, HATE.names, overwrite=True)
            with pytest.raises(OutputError, match="another run"):
                second.start()
            first.write(ROWS[1])
            first.finish()
        assert [row.id for row in read_decisions(path)] == ["1", "2"]
        write(path, overwrite=True)

    def test_a_continued_file_is_locked_before_it_is_read(self, tmp_path: Path) -> None:
        path = tmp_path / "out.jsonl"
        write(path)
        with open_output(path, HATE.names, resume=True) as first:
            assert len(list(first.previous())) == 3
            first.start()
            with pytest.raises(OutputError, match="another run"):
                list(open_output(path, HATE.names, resume=True).previous())
