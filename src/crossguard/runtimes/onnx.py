"""Runs a bundle on ONNX Runtime, to compare the two, and for machines where OpenVINO fails."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from crossguard.errors import BundleError, needs_extra
from crossguard.machine import available_cores
from crossguard.runtimes.base import Array, Job, images_per_job


class ONNXRuntime:
    """One session per graph; jobs run one after the other, each on all cores."""

    def __init__(self, graphs: Mapping[str, Path], threads: int | None = None) -> None:
        with needs_extra("The runtime 'onnx'", "onnx"):
            import onnxruntime
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads or available_cores()
        # Weights stored in 8 bits are multiplied in float32; by itself, ONNX Runtime rounds activations to 8 bits too.
        options.add_session_config_entry("session.qdq_matmulnbits_accuracy_level", "1")
        # Without VNNI, pairs of 8-bit products are added in 16 bits, which saturates; a slower way there does not.
        options.add_session_config_entry("session.x64quantprecision", "1")
        self._sessions = {}
        for name, path in graphs.items():
            try:
                self._sessions[name] = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
            except Exception as error:  # noqa: BLE001 it has an exception of its own for each status
                raise BundleError(f"ONNX Runtime cannot read {path}: {error}") from None
        self.name = f"onnxruntime {onnxruntime.__version__} (fp32)"
        self.images_per_job = images_per_job(graphs["image"])
        self.packs = self.fills = False

    def inputs(self, graph: str) -> tuple[str, ...]:
        """Names of the inputs of a graph."""
        return tuple(entry.name for entry in self._sessions[graph].get_inputs())

    def infer(self, jobs: Sequence[Job]) -> list[dict[str, Array]]:
        """Runs jobs; returns outputs by name, in the order of the jobs."""
        results = []
        for job in jobs:
            session = self._sessions[job.graph]
            names = [entry.name for entry in session.get_outputs()]
            results.append(dict(zip(names, session.run(names, dict(job.feed)), strict=True)))
        return results
