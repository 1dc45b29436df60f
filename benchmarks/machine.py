"""The machine and the libraries of a run, so that a figure can be read later."""

from __future__ import annotations

import os
import platform
from importlib.metadata import version
from pathlib import Path
from typing import Final

from crossguard.machine import available_cores, vector_units

LIBRARIES: Final = ("openvino", "onnxruntime", "torch", "transformers", "numpy", "pillow", "tokenizers")

BF16_UNITS: Final = {"bf16", "amx_bf16", "avx512_bf16"}


def multiplies_bf16() -> bool:
    """Whether bf16 products are native; where they are emulated, they take up to a hundred times as long as fp32."""
    return not BF16_UNITS.isdisjoint(vector_units())


def describe() -> dict[str, object]:
    """Returns processor, its vector units, cores, load before the run, and versions."""
    return {
        "processor": _field("model name") or platform.processor(),
        "vector_units": list(vector_units()),
        "cores": available_cores(),
        "load_before": round(os.getloadavg()[0], 1),
        "python": platform.python_version(),
        "libraries": {name: version(name) for name in LIBRARIES},
    }


def _field(name: str) -> str:
    path = Path("/proc/cpuinfo")
    lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    return next((line.partition(":")[2].strip() for line in lines if line.startswith(name)), "")
