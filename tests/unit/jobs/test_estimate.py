"""What a job would take, held against a job whose posts are counted."""

from __future__ import annotations

import gzip
import random
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from tests.unit.jobs.conftest import InlineWorker, write_jsonl, write_parquet

from crossguard.bundle import Bundle
from crossguard.data.storage import Entry, Storage
from crossguard.errors import TableError, UnitError
from crossguard.jobs import estimate as module
from crossguard.jobs.estimate import JobEstimate, estimate
from crossguard.jobs.job import ScoringJob
from crossguard.jobs.pool import WorkerCrashed
from crossguard.jobs.units import Unit


@pytest.fixture(autouse=True)
def _inline(monkeypatch: pytest.MonkeyPatch) -> None:
    def worker(spec: Any, identity: Any, cores: Any, threads: int) -> InlineWorker:
        return InlineWorker(spec, identity)

    monkeypatch.setattr(module, "LocalWorker", worker)


def measured(folder: Path, tiny_bundle: Bundle, workers: int | None = None) -> JobEstimate:
    return estimate(ScoringJob.open(folder, folder.parent / "out", model=tiny_bundle.folder, unit_posts=10), workers)


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """A folder with one table."""
    folder = tmp_path / "in"
    folder.mkdir()
    write_jsonl(folder / "a.jsonl", 40)
    return folder


def test_workers_beyond_the_cores_make_nothing_faster(
    small: Path, tiny_bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_measure", lambda *_: (40, 1, 2.0))
    monkeypatch.setattr(module, "available_cores", lambda: 2)
    rates = {workers: measured(small, tiny_bundle, workers) for workers in (1, 2, 8)}
    assert [(found.posts_per_second, found.cores) for found in rates.values()] == [(20, 2), (40, 2), (40, 2)]


def test_a_sample_that_crashes_its_worker_is_told(
    small: Path, tiny_bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    def crash(*_: object) -> None:
        raise WorkerCrashed("signal 9 (SIGKILL)")

    monkeypatch.setattr(InlineWorker, "run", crash)
    with pytest.raises(UnitError, match=r"a\.jsonl' .* signal 9 \(SIGKILL\)"):
        measured(small, tiny_bundle)


def test_files_that_say_their_rows_are_counted(tmp_path: Path, tiny_bundle: Bundle) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    write_jsonl(folder / "a.jsonl", 40)
    write_parquet(folder / "b.parquet", 30, rows_per_group=10)
    (folder / "c.parquet").write_bytes(b"PAR1 and no more")
    found = measured(folder, tiny_bundle)
    assert (found.files, found.unreadable, found.units, found.posts) == (3, 1, 8, 71)
    assert found.counted
    assert found.sampled > 0
    assert found.size == sum(path.stat().st_size for path in folder.iterdir())
    assert not (tmp_path / "out").exists()


def test_files_that_do_not_are_extrapolated_from_what_was_read(tmp_path: Path, tiny_bundle: Bundle) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    lines = [f'{{"text": "post {number:05d}"}}' for number in range(500)]
    (folder / "a.json").write_text(f"[{','.join(lines)}]")
    found = measured(folder, tiny_bundle)
    assert not found.counted
    assert found.posts == pytest.approx(500, rel=0.05)


@pytest.mark.parametrize("suffix", [".gz", ".zst"])
@pytest.mark.parametrize(("size", "count"), [(25, 100_000), (4, 150_000)])
def test_what_is_read_ahead_of_short_posts_does_not_count(
    tmp_path: Path, tiny_bundle: Bundle, size: int, count: int, suffix: str
) -> None:
    """A buffer of packed posts holds tens of thousands."""
    folder = tmp_path / "in"
    folder.mkdir()
    draw = random.Random(0)  # noqa: S311 - a test
    lines = "".join(f'{{"text": "{draw.randbytes(size).hex()}"}}\n' for _ in range(count)).encode()
    packed = gzip.compress(lines, 1) if suffix == ".gz" else pa.compress(lines, codec="zstd", asbytes=True)
    (folder / f"a.jsonl{suffix}").write_bytes(packed)
    assert measured(folder, tiny_bundle).posts == pytest.approx(count, rel=0.05)


def test_posts_are_counted_without_fetching_images(
    small: Path, tiny_bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    (small / "a.jsonl").unlink()
    (small / "a.json").write_text('[{"text": "one", "image_path": "a.png"}]')
    fetched: list[str] = []
    monkeypatch.setattr(module, "_measure", lambda *_: (40, 1, 2.0))
    monkeypatch.setattr(Storage, "image", lambda _, path: fetched.append(path))
    job = ScoringJob.open(small, small.parent / "out", model=tiny_bundle.folder, image_root="s3://bucket/images")
    assert (estimate(job).posts, fetched) == (1, [])


def test_hours_follow_from_the_speed_of_all_workers() -> None:
    found = JobEstimate(1, 0, 1, 1, 7200, True, 10, 0, posts_per_second=2.0, cores=8)  # noqa: FBT003
    assert (found.hours, found.core_hours) == (1.0, 8.0)


def test_every_unit_has_the_same_chance_to_be_measured() -> None:
    drawn: Counter[int] = Counter()
    draw = random.Random(0)  # noqa: S311 - a test
    for _ in range(2000):
        chosen: list[Unit] = []
        for place in range(20):
            module._reservoir(chosen, Unit(Entry("a", 1, 0), "jsonl", index=place), place, draw)
        drawn.update(unit.index for unit in chosen)
    assert len(drawn) == 20
    expected = 2000 * module.SAMPLED_UNITS / 20
    assert all(abs(count - expected) < 0.2 * expected for count in drawn.values())


def test_an_input_without_a_post_cannot_be_measured(tmp_path: Path, tiny_bundle: Bundle) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "a.json").write_text("[]")
    with pytest.raises(TableError, match="no posts"):
        measured(folder, tiny_bundle)
