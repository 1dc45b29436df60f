"""The machine and the libraries of a run, so that a figure can be read later."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping
from importlib.metadata import version
from typing import Any, Final

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


def told(described: Mapping[str, Any]) -> str:
    """Says in a line what `describe` found, to stand above the figures of a run."""
    units = ", ".join(described["vector_units"])
    return (
        f"{described['processor']}, {described['cores']} cores, {units}; load before the run {described['load_before']}"
    )
