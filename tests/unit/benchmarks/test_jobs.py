"""What a benchmark says of the memory of a driver."""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from benchmarks import jobs

MEBI = 2**20


class Hoarder:
    """A job that keeps 64 kB of each unit."""

    def __init__(self) -> None:
        self.kept: list[mmap.mmap] = []

    def finished(self, _: object) -> Iterator[None]:
        for _ in range(1000):
            page = mmap.mmap(-1, 65536)  # the heap may have room from earlier tests
            page.write(b"x" * 65536)
            self.kept.append(page)
            yield


def test_a_driver_that_grows_is_seen_below_what_the_process_once_took(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    np.ones(300 * MEBI, np.uint8)  # given back at once
    hoarder = Hoarder()
    monkeypatch.setattr(jobs, "_simulated", lambda *_: hoarder)
    found = jobs.memory(tmp_path, 1000)
    assert len(hoarder.kept) == 1000
    assert 40 < found["driver_growth_mb"] < 120
