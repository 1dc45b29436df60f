"""Which processor cores a worker gets: those of one memory node."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, Final

from crossguard.data.outputs import lock_file
from crossguard.machine import allowed_cores, available_cores

_NODES: Final = Path("/sys/devices/system/node")


def memory_nodes(root: Path = _NODES) -> list[list[int]]:
    """Returns the allowed cores by NUMA node: a core reads the memory of its own node fastest."""
    allowed = set(allowed_cores())
    nodes = []
    for node in sorted(root.glob("node[0-9]*"), key=lambda path: int(path.name[4:])):
        try:
            cores = sorted(allowed & set(_listed((node / "cpulist").read_text())))
        except (OSError, ValueError):
            continue
        if cores:
            nodes.append(cores)
    return nodes or [sorted(allowed)]


def share_cores(workers: int, nodes: Sequence[Sequence[int]]) -> list[list[int]]:
    """Divides the cores of NUMA nodes among workers, such that none has cores of two unless it has all of both.

    Where there are more workers than cores, workers share.
    """
    cores = [core for node in nodes for core in node]
    if workers >= len(cores):
        return [[cores[index % len(cores)]] for index in range(workers)]
    if workers < len(nodes):
        grouped = [[core for node in nodes[index::workers] for core in node] for index in range(workers)]
        return [sorted(group) for group in grouped]
    counts = [1] * len(nodes)
    for _ in range(workers - len(nodes)):  # the next worker goes where cores are most plentiful
        counts[max(range(len(nodes)), key=lambda place: len(nodes[place]) / counts[place])] += 1
    return [list(node[index::count]) for node, count in zip(nodes, counts, strict=True) for index in range(count)]


def claim_cores(count: int, folder: Path | None = None) -> IO[bytes] | None:
    """Binds this thread, and those that it will start, to about `count` cores that no other claim of this machine has.

    Claims are marked in `folder`, that of temporary files when None.

    Returns:
        The claim, which ends with its process or when it is closed. None where no cores are free, or the cores are
        shared under a quota: the kernel then moves threads about, and a bound one would wait beside free cores.
    """
    allowed = allowed_cores()
    if available_cores() != len(allowed) or not hasattr(os, "sched_setaffinity"):
        return None
    for own in share_cores(max(1, len(allowed) // count), memory_nodes()):
        with suppress(OSError):  # that of another user
            claim = (folder or Path(tempfile.gettempdir())).joinpath(f"crossguard-cores-{own[0]}").open("ab")
            if lock_file(claim):
                os.sched_setaffinity(0, own)
                return claim
            claim.close()
    return None


def _listed(text: str) -> list[int]:
    """Reads the kernel's lists, such as `0-3,8`."""
    numbers: list[int] = []
    for part in filter(None, text.strip().split(",")):
        first, _, last = part.partition("-")
        numbers.extend(range(int(first), int(last or first) + 1))
    return numbers
