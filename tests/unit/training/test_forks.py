"""Rows are shared out to forked processes, in which nothing of this one's is destroyed."""

from __future__ import annotations

import gc
import os
from collections.abc import Sequence

import numpy as np
import pytest

pytest.importorskip("torch", reason="training belongs to crossguard[train]")

from crossguard.training import forks
from crossguard.training.forks import divided, garbage_kept, load_batches


def squares(rows: Sequence[int]) -> tuple[int, list[int]]:
    return os.getpid(), [row * row for row in rows]


@pytest.mark.parametrize("cores", [1, 3])
def test_all_rows_come_back_in_order(cores: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forks, "available_cores", lambda: cores)
    parts = divided(squares, range(2, 9000))
    assert [value for _, part in parts for value in part] == [row * row for row in range(2, 9000)]
    processes = {process for process, _ in parts}
    assert processes == {os.getpid()} if cores == 1 else os.getpid() not in processes


def test_a_few_rows_are_done_here() -> None:
    assert divided(squares, [3, 4]) == [(os.getpid(), [9, 16])]


class Circular:
    """Is garbage as soon as nobody has it, and tells where it ends."""

    def __init__(self, ended: list[int]) -> None:
        self.me, self.ended = self, ended

    def __del__(self) -> None:
        self.ended.append(os.getpid())


def test_a_fork_destroys_nothing_that_this_process_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forks, "available_cores", lambda: 2)
    ended: list[int] = []
    gc.collect()
    gc.disable()
    try:
        Circular(ended)

        def collect(rows: Sequence[int]) -> list[int]:
            gc.collect()
            return list(ended)

        assert divided(collect, range(5000)) == [[]] * 5
        assert ended == []
    finally:
        gc.enable()
    gc.collect()
    assert ended == [os.getpid()], "but this process goes on as before"


def test_garbage_is_only_kept_meanwhile() -> None:
    with garbage_kept():
        assert gc.get_freeze_count() > 0
    assert gc.get_freeze_count() == 0


def test_batches_are_made_of_the_planned_rows_in_order() -> None:
    made = []

    def make(rows: np.ndarray[tuple[int], np.dtype[np.int64]]) -> str:
        made.append(rows.tolist())
        return "batch"

    assert list(load_batches(make, [np.array([3, 1]), np.array([0])], workers=0)) == ["batch", "batch"]
    assert made == [[3, 1], [0]]
