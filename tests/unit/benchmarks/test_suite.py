"""Speeds by processor time."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Iterator, Sequence

import numpy as np
import pytest
import torch
from benchmarks.interleaving import Contender
from benchmarks.suite import Timed, effort_of, measure
from numpy.typing import NDArray

from crossguard.records import Post


@pytest.fixture
def two_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize(("clock", "threads"), [("cpu", 1), ("wall", 2)])
@pytest.mark.usefixtures("two_threads")
def test_pytorch_has_one_core_only_while_processor_time_is_measured(clock: str, threads: int) -> None:
    seen = []

    def score(posts: Sequence[Post]) -> NDArray[np.float32]:
        seen.append(torch.get_num_threads())
        return np.full((len(posts), 1), sum(range(100_000)), np.float32)

    effort = effort_of(Namespace(short=False, clock=clock, rounds=1, seconds=0.01))
    assert torch.get_num_threads() == 2
    timed = [Timed(Contender("plain", score), lambda posts: np.zeros((len(posts), 1), np.float32))]
    measure(timed, "plain", [Post("1", "a")], gflop=1.0, ceiling=1.0, effort=effort)
    assert set(seen) == {threads}
    assert torch.get_num_threads() == 2
