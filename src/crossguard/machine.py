"""What the machine at hand has: cores that this process may use, and what its processor multiplies fast."""

from __future__ import annotations

import math
import os
import platform
from functools import cache
from pathlib import Path
from typing import Final

# The names of the Linux kernel, best first; the first three are of ARM.
UNITS: Final = (
    "sve",
    "bf16",
    "asimddp",
    "amx_bf16",
    "amx_int8",
    "avx512_bf16",
    "avx512_vnni",
    "avx512f",
    "avx_vnni",
    "avx2",
)
CPUINFO: Final = Path("/proc/cpuinfo")
QUOTA: Final = Path("/sys/fs/cgroup/cpu.max")


def available_cores(quota: Path = QUOTA) -> int:
    """Returns how many cores this process may use: those that it may run on, and no more than a container's quota."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        allowed, period = map(int, quota.read_text(encoding="ascii").split())
    except (OSError, ValueError):  # no control groups (version 2), or "max"
        return cores
    return max(1, min(cores, math.ceil(allowed / period)))


@cache
def vector_units(cpuinfo: Path = CPUINFO) -> tuple[str, ...]:
    """Returns those of `UNITS` that the processor has; on systems other than Linux, its architecture alone."""
    try:
        lines = cpuinfo.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return (platform.machine(),)
    found = {word for line in lines if line.startswith(("flags", "Features")) for word in line.split()}
    return tuple(unit for unit in UNITS if unit in found)


def multiplies_bf16() -> bool:
    """Whether the processor multiplies bfloat16 in hardware; elsewhere it is emulated, up to a hundred times slower."""
    return bool({"bf16", "amx_bf16", "avx512_bf16"} & set(vector_units()))


@cache
def processor_name(cpuinfo: Path = CPUINFO) -> str:
    """Returns the name of the processor."""
    try:
        lines = cpuinfo.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor() or platform.machine())
