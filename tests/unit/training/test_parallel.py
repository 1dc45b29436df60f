"""Rows divided among processes come back as one would have done them, in order."""

from __future__ import annotations

import os
from collections.abc import Sequence

import pytest

from crossguard.training import parallel
from crossguard.training.parallel import divided


def squares(rows: Sequence[int]) -> tuple[int, list[int]]:
    return os.getpid(), [row * row for row in rows]


@pytest.mark.parametrize("cores", [1, 3])
def test_all_rows_come_back_in_order(cores: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parallel, "available_cores", lambda: cores)
    parts = divided(squares, range(2, 9000))
    assert [value for _, part in parts for value in part] == [row * row for row in range(2, 9000)]
    processes = {process for process, _ in parts}
    assert processes == {os.getpid()} if cores == 1 else os.getpid() not in processes


def test_a_few_rows_are_done_here() -> None:
    assert divided(squares, [3, 4]) == [(os.getpid(), [9, 16])]
