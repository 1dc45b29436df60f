"""Runs a bundle on OpenVINO: the default on x86 and ARM processors."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from crossguard.errors import BundleError
from crossguard.runtimes.base import Array, Job, available_cores


class OpenVINORuntime:
    """Compiled graphs with one infer request per core; jobs of a call run side by side.

    Args:
        graphs: File of each graph by name.
        precision: `fp32` (exact), `bf16` (faster where the processor has it), or `auto` (fp32).
        threads: Cores to use; all that this process may run on when None.
    """

    def __init__(self, graphs: Mapping[str, Path], precision: str = "auto", threads: int | None = None) -> None:
        import openvino as ov

        threads = threads or available_cores()
        hint = ov.Type.bf16 if precision == "bf16" else ov.Type.f32
        settings = {
            "INFERENCE_PRECISION_HINT": hint,
            "INFERENCE_NUM_THREADS": threads,
            "NUM_STREAMS": threads,
            # Weights stored in 8 bits are still multiplied in full precision: scores stay those of the checkpoint.
            "DYNAMIC_QUANTIZATION_GROUP_SIZE": "0",
        }
        # The queues are not made for several callers; one call keeps all cores busy, so callers take turns.
        self._lock = threading.Lock()
        core = ov.Core()
        self._queues = {name: _compile(core, path, settings, threads) for name, path in graphs.items()}
        self._inputs = {
            name: tuple(port.get_any_name() for port in queue[0].model_inputs) for name, queue in self._queues.items()
        }
        self._precision = "bf16" if precision == "bf16" else "fp32"
        self._version = ov.__version__.split("-")[0]

    @property
    def name(self) -> str:
        """Name, version and precision."""
        return f"openvino {self._version} ({self._precision})"

    def inputs(self, graph: str) -> tuple[str, ...]:
        """Names of the inputs of a graph."""
        return self._inputs[graph]

    def infer(self, jobs: Sequence[Job]) -> list[dict[str, Array]]:
        """Runs jobs side by side; returns outputs by name, in the order of the jobs."""
        results: list[dict[str, Array]] = [{} for _ in jobs]
        with self._lock:
            for index, job in enumerate(jobs):
                self._queues[job.graph].start_async(dict(job.feed), (results, index))
            for graph in {job.graph for job in jobs}:
                self._queues[graph].wait_all()
        return results


def _compile(core: Any, path: Path, settings: dict[str, Any], requests: int) -> Any:
    from openvino import AsyncInferQueue

    try:
        compiled = core.compile_model(core.read_model(path), "CPU", settings)
    except RuntimeError as error:
        raise BundleError(f"OpenVINO cannot read {path}: {error}") from None
    queue = AsyncInferQueue(compiled, requests)
    queue.set_callback(_keep)
    return queue


def _keep(request: Any, place: tuple[list[dict[str, Array]], int]) -> None:
    """Copies the outputs of a finished request, because its memory is used again by the next job."""
    results, index = place
    for port in request.model_outputs:
        results[index][port.get_any_name()] = np.array(request.get_tensor(port).data)
