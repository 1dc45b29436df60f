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
X86: Final = frozenset({"x86_64", "AMD64"})
# What oneDNN, which OpenVINO multiplies with, leaves unused under each value of these.
LIMITS: Final = ("ONEDNN_MAX_CPU_ISA", "DNNL_MAX_CPU_ISA")
_WITHOUT_AMX: Final = frozenset({"amx_bf16", "amx_int8"})
_WITHOUT_BF16: Final = _WITHOUT_AMX | {"avx512_bf16"}
_WITHOUT_AVX512: Final = _WITHOUT_BF16 | {"avx512f", "avx512_vnni"}
UNUSED: Final[dict[str, frozenset[str]]] = {
    "SSE41": _WITHOUT_AVX512 | {"avx_vnni", "avx2"},
    "AVX2": _WITHOUT_AVX512 | {"avx_vnni"},
    "AVX2_VNNI": _WITHOUT_AVX512,
    "AVX2_VNNI_2": _WITHOUT_AVX512,
    "AVX512_CORE": _WITHOUT_BF16 | {"avx512_vnni", "avx_vnni"},
    "AVX512_CORE_VNNI": _WITHOUT_BF16,
    "AVX512_CORE_BF16": _WITHOUT_AMX,
    "AVX512_CORE_FP16": _WITHOUT_AMX,
}
CPUINFO: Final = Path("/proc/cpuinfo")
QUOTA: Final = Path("/sys/fs/cgroup/cpu.max")


def allowed_cores() -> list[int]:
    """Returns the numbers of the cores that this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return sorted(os.sched_getaffinity(0))
    return list(range(os.cpu_count() or 1))


def available_cores(quota: Path = QUOTA) -> int:
    """Returns how many cores this process may use: those that it may run on, and no more than a container's quota."""
    cores = len(allowed_cores())
    try:
        allowed, period = map(int, quota.read_text(encoding="ascii").split())
    except (OSError, ValueError):  # no control groups (version 2), or "max"
        return cores
    return max(1, min(cores, math.ceil(allowed / period)))


@cache
def vector_units(cpuinfo: Path = CPUINFO) -> tuple[str, ...]:
    """Returns those of `UNITS` that are used; on systems other than Linux, the processor's architecture alone."""
    try:
        lines = cpuinfo.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return (platform.machine(),)
    found = {word for line in lines if line.startswith(("flags", "Features")) for word in line.split()}
    limit = next(filter(None, map(os.environ.get, LIMITS)), "")
    found -= UNUSED.get(limit.upper(), frozenset())
    return tuple(unit for unit in UNITS if unit in found)


def multiplies_bf16() -> bool:
    """Whether the processor multiplies bfloat16 in hardware; elsewhere it is emulated, up to a hundred times slower."""
    return bool({"bf16", "amx_bf16", "avx512_bf16"} & set(vector_units()))


def has_amx() -> bool:
    """Whether the processor multiplies whole tiles of 8-bit numbers."""
    return "amx_int8" in vector_units()


@cache
def processor_name(cpuinfo: Path = CPUINFO) -> str:
    """Returns the name of the processor, or its architecture where the system tells no name."""
    try:
        lines = cpuinfo.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.machine())  # `platform.processor` would start a process on Linux
