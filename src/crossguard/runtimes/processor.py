"""What this processor can multiply fast, for people who wonder why a runtime or precision was chosen."""

from __future__ import annotations

import platform
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


def vector_units(cpuinfo: Path = CPUINFO) -> tuple[str, ...]:
    """Returns those of `UNITS` that the processor has; on systems other than Linux, its architecture alone."""
    try:
        lines = cpuinfo.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return (platform.machine(),)
    found = {word for line in lines if line.startswith(("flags", "Features")) for word in line.split()}
    return tuple(unit for unit in UNITS if unit in found)
