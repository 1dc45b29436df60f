"""Jobs over many files: what the engines cost, how planning and resuming grow, and how much memory a driver takes.

python -m benchmarks.jobs --out build/benchmarks
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyarrow import parquet

from benchmarks.fresh import resident_mb
from benchmarks.job_workers import seconds_of, workers
from benchmarks.machine import describe
from crossguard.data.columns import Columns
from crossguard.data.storage import Entry, Storage
from crossguard.jobs.job import ScoringJob
from crossguard.jobs.parts import part_name
from crossguard.jobs.plan import cut_all, plan_line
from crossguard.jobs.sources import InputFile, sources_of
from crossguard.jobs.units import Part, Shard, Unit


def main() -> None:
    """Measures, prints and writes JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--posts", type=int, default=128, help="posts with images of a unit")
    parser.add_argument("--rounds", type=int, default=15, help="turns of each way to score")
    parser.add_argument("--short", action="store_true", help="try the benchmark itself: no figures to quote")
    parser.add_argument("--out", type=Path, default=Path("build/benchmarks"), help="folder for JSON")
    options = parser.parse_args()
    posts, rounds, scale = (32, 1, 100) if options.short else (options.posts, options.rounds, 1)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        found: dict[str, Any] = {"machine": describe()}
        # First: what others took before and gave back could be taken again, unseen.
        found |= memory(folder, 1_000_000 // scale)
        found |= workers(folder, posts, rounds)
        found["plan_row_groups"], found["plan_s"] = planning(folder, 10_000 // scale)
        found["resumed_parts"], found["resume_s"] = resuming(folder, 10_000 // scale)
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / "jobs.json").write_text(json.dumps(found, indent=1) + "\n")
    for key, value in found.items():
        print(f"{key}: {value}")


def planning(folder: Path, groups: int) -> tuple[int, float]:
    """Plans a folder of Parquet files with a thousand row groups each, one per unit."""
    (folder / "plan").mkdir()
    for place in range(max(1, groups // 1000)):
        table = pa.table({"id": [str(row) for row in range(min(groups, 1000))], "text": ["a"] * min(groups, 1000)})
        parquet.write_table(table, folder / "plan" / f"{place}.parquet", row_group_size=1)
    units = 0

    def plan() -> None:
        nonlocal units
        sources = sources_of([str(folder / "plan")], unit_posts=1)
        units = sum(len(cut) for _, cut in cut_all(sources, Columns(), 1))

    seconds = seconds_of(plan)
    return units, seconds


def resuming(folder: Path, parts: int) -> tuple[int, float]:
    """Finds out what is left of a job of which every second part is there."""
    job = _simulated(folder / "resume", parts)
    for index in range(0, parts, 2):
        path = folder / "resume" / part_name(Part(index, 10, 0), "00000000", "jsonl")
        path.parent.mkdir(exist_ok=True)
        path.touch()
    left = 0

    def look() -> None:
        nonlocal left
        left = sum(part is None for _, part in job.finished(Shard()))

    seconds = seconds_of(look)
    if left != parts // 2:
        raise AssertionError(left)
    return parts, seconds


def memory(folder: Path, units: int) -> dict[str, Any]:
    """Goes through a plan of very many units, and looks at how much the process grows."""
    job = _simulated(folder / "memory", units)
    stream = iter(job.finished(Shard()))
    for _ in range(units // 100):
        next(stream)
    sizes = [resident_mb()]

    def go_on() -> None:
        for place, _ in enumerate(stream):
            if place % (units // 100) == 0:
                sizes.append(resident_mb())

    seconds = seconds_of(go_on)
    growth = round(max(sizes) - sizes[0], 1)
    return {"simulated_units": units, "driver_growth_mb": growth, "simulated_s": seconds}


def _simulated(folder: Path, units: int) -> ScoringJob:
    """A job with a plan of files that do not exist."""
    folder.mkdir()
    job = ScoringJob.open("none.parquet", folder)
    job.spec = job.spec.__class__.from_dict({**job.spec.to_dict(), "fingerprint": "00000000"})
    storage = Storage("none")

    def lines() -> Iterator[bytes]:
        for place in range(-(-units // 1000)):
            entry = Entry(f"/none/{place}.parquet", 1 << 30, place)
            cut = [Unit(entry, "parquet", rows=10, groups=(group, group + 1)) for group in range(min(units, 1000))]
            yield plan_line(InputFile(0, storage, entry, "parquet"), cut)

    (folder / "_job").mkdir()
    with (folder / "_job" / "plan.jsonl").open("wb") as stream:
        stream.writelines(lines())
    return job


if __name__ == "__main__":
    main()
