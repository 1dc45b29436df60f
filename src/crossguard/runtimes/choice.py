"""Chooses a runtime by name, or the best one installed."""

from __future__ import annotations

import importlib.util
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from crossguard.errors import ConfigError, MissingExtraError, suggest
from crossguard.runtimes import processor
from crossguard.runtimes.base import Runtime

logger = logging.getLogger(__name__)

# Best first. Reasons: benchmarks/README.md.
PACKAGES: Final = {"openvino": "openvino", "onnx": "onnxruntime"}


def create(name: str, graphs: Mapping[str, Path], precision: str = "auto", threads: int | None = None) -> Runtime:
    """Compiles the graphs of a bundle.

    Args:
        name: `auto`, `openvino` or `onnx`.
        graphs: File of each graph by name.
        precision: `auto`, `fp32` or `bf16`.
        threads: Cores to use; all of them when None.

    Raises:
        ConfigError: Unknown name or precision.
        MissingExtraError: The runtime is not installed.
    """
    if precision not in {"auto", "fp32", "bf16"}:
        raise ConfigError(f"Unknown precision '{precision}'.{suggest(precision, ['auto', 'fp32', 'bf16'])}")
    chosen = _best() if name == "auto" else name
    if chosen == "openvino":
        from crossguard.runtimes.openvino import OpenVINORuntime

        return OpenVINORuntime(graphs, precision, threads)
    if chosen == "onnx":
        from crossguard.runtimes.onnx import ONNXRuntime

        if precision == "bf16":
            raise ConfigError("The runtime 'onnx' computes in fp32 only; for bf16 use --runtime openvino.")
        return ONNXRuntime(graphs, threads)
    raise ConfigError(f"Unknown runtime '{name}'.{suggest(name, ['auto', *PACKAGES])}")


def _best() -> str:
    for name, package in PACKAGES.items():
        if importlib.util.find_spec(package) is not None:
            units = processor.vector_units()
            logger.info(
                "runtime auto: %s, the fastest measured of those installed, in fp32: the scores are the bundle's own. "
                "This processor has %s. %s",
                name,
                ", ".join(units) or "no vector unit that we know",
                _hint(name, units),
            )
            return name
    raise MissingExtraError("Scoring", "onnx")


def _hint(runtime: str, units: Sequence[str]) -> str:
    if runtime == "openvino" and {"amx_bf16", "avx512_bf16"} & set(units):
        return "It multiplies bfloat16 in hardware: --precision bf16 is faster and moves scores a little."
    if runtime == "onnx":
        return "OpenVINO would be faster: pip install openvino."
    return "A model exported with --precision int8 computes in 8 bits here, too."
