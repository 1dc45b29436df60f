"""Chooses a runtime by name, or the best one installed."""

from __future__ import annotations

import importlib.util
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from crossguard.errors import BundleError, ConfigError, MissingExtraError, suggest
from crossguard.machine import vector_units
from crossguard.runtimes.base import Runtime

logger = logging.getLogger(__name__)

# Best first. Reasons: benchmarks/README.md.
PACKAGES: Final = {"openvino": "openvino", "onnx": "onnxruntime"}


# What each graph takes at least.
INPUTS: Final = {
    "text": {"input_ids"},
    "image": {"pixels"},
    "fusion": {"text_features", "image_features", "has_text", "has_image"},
}


def create(name: str, graphs: Mapping[str, Path], precision: str = "auto", threads: int | None = None) -> Runtime:
    """Compiles the graphs of a bundle.

    Args:
        name: `auto`, `openvino` or `onnx`.
        graphs: File of each graph by name.
        precision: `auto`, `fp32` or `bf16`.
        threads: Cores to use; all of them when None.

    Raises:
        BundleError: A graph cannot be read, or is another one than its name says.
        ConfigError: Unknown name or precision.
        MissingExtraError: The runtime is not installed.
    """
    if precision not in {"auto", "fp32", "bf16"}:
        raise ConfigError(f"Unknown precision '{precision}'.{suggest(precision, ['auto', 'fp32', 'bf16'])}")
    runtime = _create(_best() if name == "auto" else name, graphs, precision, threads)
    for graph, needed in INPUTS.items():
        if not needed <= set(runtime.inputs(graph)):
            raise BundleError(
                f"{graphs[graph]} takes {', '.join(runtime.inputs(graph))}, and not {', '.join(sorted(needed))}: it is "
                f"another graph than its name says. Download or export the bundle again."
            )
    return runtime


def _create(chosen: str, graphs: Mapping[str, Path], precision: str, threads: int | None) -> Runtime:
    if chosen == "openvino":
        from crossguard.runtimes.openvino import OpenVINORuntime

        return OpenVINORuntime(graphs, precision, threads)
    if chosen == "onnx":
        from crossguard.runtimes.onnx import ONNXRuntime

        if precision == "bf16":
            raise ConfigError("The runtime 'onnx' computes in fp32 only; for bf16 use --runtime openvino.")
        return ONNXRuntime(graphs, threads)
    raise ConfigError(f"Unknown runtime '{chosen}'.{suggest(chosen, ['auto', *PACKAGES])}")


def _best() -> str:
    for name, package in PACKAGES.items():
        if importlib.util.find_spec(package) is not None:
            units = vector_units()
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
        return "It multiplies bfloat16 in hardware, which makes models faster that are not stored in 8 bits."
    if runtime == "onnx":
        return "OpenVINO would be faster: pip install openvino."
    return "A model exported with --precision int8 computes in 8 bits here, too."
