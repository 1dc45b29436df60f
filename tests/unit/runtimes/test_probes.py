"""What OpenVINO computes here is tried."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from crossguard.machine import vector_units
from crossguard.runtimes.probes import LAYERS, lacks_kernels, sums_overflow

EIGHT_BITS = {"amx_int8", "avx512_vnni", "avx_vnni"}
TRY = """
from crossguard.runtimes.probes import lacks_kernels, sums_overflow
print(lacks_kernels(), sums_overflow("MatMul"), sums_overflow("Convolution"))
"""
pytestmark = pytest.mark.skipif("avx2" not in vector_units(), reason="about processors of x86 that Linux describes")


def test_sums_overflow_without_instructions_for_8_bits() -> None:
    overflow = EIGHT_BITS.isdisjoint(vector_units())
    assert [sums_overflow(kind) for kind in LAYERS] == [overflow, overflow]
    assert not lacks_kernels()


@pytest.mark.parametrize(("instructions", "found"), [("AVX2", "False True True\n"), ("SSE41", "True True True\n")])
def test_older_instructions_are_found(instructions: str, found: str) -> None:
    limited = os.environ | {"ONEDNN_MAX_CPU_ISA": instructions}
    assert subprocess.check_output([sys.executable, "-c", TRY], env=limited, text=True) == found
