"""The machine and the libraries of a run, so that a figure can be read later."""

from __future__ import annotations

import os
import platform
from importlib.metadata import version
from typing import Final

from crossguard.machine import available_cores, processor_name, vector_units

LIBRARIES: Final = ("openvino", "onnxruntime", "torch", "transformers", "numpy", "pillow", "tokenizers")


def describe() -> dict[str, object]:
    """Returns processor, its vector units, cores, load before the run, and versions."""
    return {
        "processor": processor_name(),
        "vector_units": list(vector_units()),
        "cores": available_cores(),
        "load_before": round(os.getloadavg()[0], 1),
        "python": platform.python_version(),
        "libraries": {name: version(name) for name in LIBRARIES},
    }
