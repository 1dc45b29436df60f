"""Input files, and an engine without processes."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from PIL import Image
from pyarrow import parquet
from tests.support.pictures import encoded

from crossguard.jobs import run
from crossguard.jobs.job import ScoringJob
from crossguard.jobs.tasks import TaskRunner
from crossguard.jobs.units import Part, Task

WORDS = ("hello you", "awful people", "good morning", "i love my friends", "i hate you all")


class InlineWorker(TaskRunner):
    """A worker in this process."""

    cores = 1

    def run(self, task: Task, progress: Callable[[int], None]) -> Part:
        return super().run(task, progress)

    def close(self) -> None:
        self._moderator.close()


@pytest.fixture
def inline(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lets `score_files` work without processes, which take seconds to start."""

    def make(engine: str, job: ScoringJob, count: int | None) -> list[InlineWorker]:
        return [InlineWorker(job.spec, job.identity) for _ in range(count or 1)]

    monkeypatch.setattr(run, "make_workers", make)


@pytest.fixture
def lock(monkeypatch: pytest.MonkeyPatch) -> Callable[[Path], None]:
    """Lets no file or folder be read that is handed over, as if its user had said so; root may read everything."""
    from pyarrow import fs

    locked: set[str] = set()

    class Locking:
        def __init__(self) -> None:
            self._real = real()

        def __getattr__(self, name: str) -> Any:
            return getattr(self._real, name)

        def open_input_file(self, path: str) -> Any:
            return self._allowed(path).open_input_file(path)

        def get_file_info(self, asked: Any) -> Any:
            return self._allowed(getattr(asked, "base_dir", "")).get_file_info(asked)

        def _allowed(self, path: str) -> Any:
            if path in locked:
                raise PermissionError(13, "Permission denied")
            return self._real

    real = fs.LocalFileSystem
    monkeypatch.setattr(fs, "LocalFileSystem", Locking)
    return lambda path: locked.add(str(path))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a JSONL, a CSV and a Parquet file: 90 posts, one of which cannot be read."""
    above = tmp_path / "in"
    above.mkdir()
    write_jsonl(above / "a.jsonl", 40)
    with (above / "b.csv").open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["id", "text"])
        writer.writerows([f"b{index}", f'{WORDS[index % 5]},\n"{index}"'] for index in range(20))
    write_parquet(above / "c.parquet", 30, rows_per_group=10)
    return above


def write_jsonl(path: Path, count: int) -> Path:
    lines = [json.dumps({"id": f"a{index}", "text": f"{WORDS[index % 5]} {index}"}) for index in range(count)]
    lines[7] = "{broken"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def write_parquet(path: Path, count: int, rows_per_group: int) -> Path:
    texts = [f"{WORDS[index % 5]} {index} of {count}" for index in range(count)]
    table = pa.table({"id": [f"c{index}" for index in range(count)], "text": texts})
    parquet.write_table(table, path, row_group_size=rows_per_group, compression="none", use_dictionary=False)
    return path


def png(size: tuple[int, int]) -> bytes:
    """An encoded image of one colour."""
    return encoded(Image.new("RGB", size, "blue"), "PNG")


def parts_of(folder: Path) -> dict[str, bytes]:
    """The bytes of all parts, and of the manifest."""
    found = sorted([*folder.glob("0*/part-*"), *folder.glob("_manifest.jsonl")])
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in found}
