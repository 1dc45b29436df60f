"""Chooses a runtime by name, or the best one installed."""

from __future__ import annotations

import importlib.util
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from crossguard.errors import BundleError, ConfigError, MissingExtraError, suggest
from crossguard.machine import vector_units
from crossguard.runtimes import tuning
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


def create(
    name: str,
    graphs: Mapping[str, Path],
    precision: str = "auto",
    threads: int | None = None,
    *,
    allowed: Sequence[str] = (tuning.EXACT,),
    identity: str = "",
    one_by_one: bool = False,
) -> Runtime:
    """Compiles the graphs of a bundle.

    Args:
        name: `auto`, `openvino` or `onnx`.
        graphs: File of each graph by name.
        precision: `fp32`, `bf16`, or `auto`: for each encoder the fastest of those allowed.
        threads: Cores to use; all of them when None.
        allowed: Precisions in which the bundle passed its quality gate.
        identity: Digest of a bundle whose files were compared with it; the choice, and the compiled graphs, are
            remembered only with one.
        one_by_one: Whether posts come one at a time, so that one stream of each graph is enough.

    Raises:
        BundleError: A graph cannot be read, or is another one than its name says.
        ConfigError: Unknown name or precision.
        MissingExtraError: The runtime is not installed.
    """
    if precision not in {"auto", "fp32", "bf16"}:
        raise ConfigError(f"Unknown precision '{precision}'.{suggest(precision, ['auto', 'fp32', 'bf16'])}")
    chosen = _best() if name == "auto" else name
    runtime: Runtime
    if chosen == "openvino":
        from crossguard.runtimes.openvino import OpenVINORuntime

        if precision == "auto":
            choice = tuning.choose(graphs, allowed, identity)
        else:
            choice = tuning.Choice(dict.fromkeys(graphs, precision), "asked for")
        runtime = OpenVINORuntime(graphs, choice.precisions, threads, identity, one_by_one=one_by_one)
        runtime.load_ahead()
        logger.info("%s on %s: %s", runtime.name, ", ".join(vector_units()) or "no known unit", choice.reason)
    elif chosen == "onnx":
        from crossguard.runtimes.onnx import ONNXRuntime

        if precision == "bf16":
            raise ConfigError("The runtime 'onnx' computes in fp32 only; for bf16 use --runtime openvino.")
        runtime = ONNXRuntime(graphs, threads)
        logger.info("%s; OpenVINO is faster, where it runs", runtime.name)
    else:
        raise ConfigError(f"Unknown runtime '{chosen}'.{suggest(chosen, ['auto', *PACKAGES])}")
    for graph, needed in INPUTS.items():
        if not needed <= set(runtime.inputs(graph)):
            raise BundleError(
                f"{graphs[graph]} takes {', '.join(runtime.inputs(graph))}, and not {', '.join(sorted(needed))}: it is "
                f"another graph than its name says. Download or export the bundle again."
            )
    return runtime


def _best() -> str:
    for name, package in PACKAGES.items():
        if importlib.util.find_spec(package) is not None:
            return name
    raise MissingExtraError("Scoring", "onnx")
