"""Runs a bundle on OpenVINO: the default on x86 and ARM processors."""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

import numpy as np

from crossguard.errors import BundleError
from crossguard.machine import available_cores
from crossguard.runtimes.base import Array, Job, images_per_job
from crossguard.runtimes.blobs import Blob
from crossguard.runtimes.library import openvino
from crossguard.runtimes.rewriting import read_model
from crossguard.runtimes.tuning import ENCODERS
from crossguard.runtimes.tuning import PROPERTY as PRECISION

logger = logging.getLogger(__name__)

# Up to this many cores, each works on its own job: nothing waits for another core. Beyond, cores share a job, because
# every stream keeps its own packed copy of the weights.
LONE_CORES: Final = 4
AHEAD: Final = ("text", "fusion")


class OpenVINORuntime:
    """Graphs, and as many threads as streams, each with its own request per graph.

    Jobs run side by side, those of one call and those of several callers alike. A graph is compiled when its first job
    comes: posts without images never pay for the image encoder, neither in time nor in memory. `load_ahead` loads what
    most posts need while the tokenizer is read.

    Args:
        graphs: File of each graph by name.
        precisions: `fp32` or `bf16` by graph; fp32 where it says nothing.
        threads: Cores to use; all that this process may run on when None.
        identity: Digest of a bundle whose files were compared with it; compiled graphs are kept only with one.
    """

    def __init__(
        self,
        graphs: Mapping[str, Path],
        precisions: Mapping[str, str] | None = None,
        threads: int | None = None,
        identity: str = "",
    ) -> None:
        ov = openvino()
        cores = threads or available_cores()
        streams = cores if cores <= LONE_CORES else max(LONE_CORES, cores // 4)
        settings = {
            "INFERENCE_NUM_THREADS": cores,
            "NUM_STREAMS": streams,
            # Weights stored in 8 bits are still multiplied in full precision: scores stay those of the checkpoint.
            "DYNAMIC_QUANTIZATION_GROUP_SIZE": "0",
        }
        core = ov.Core()
        types = {name: (precisions or {}).get(name, "fp32") for name in graphs}
        self._graphs = {}
        for name, path in graphs.items():
            own = {**settings, PRECISION: ov.Type.bf16 if types[name] == "bf16" else ov.Type.f32}
            self._graphs[name] = _Lazy(core, path, own, Blob.of(identity, name, own) if identity else None)
            # Each record says what it was computed in, so that is known before the first one.
            if types[name] == "bf16" and not self._graphs[name].kept:
                self._graphs[name].compiled()
        fell_back = {name: "fp32" for name, graph in self._graphs.items() if graph.fell_back}
        self._precision = _told(types | fell_back)
        self._version = ov.__version__.split("-")[0]
        _build_type_tables(ov)
        self.images_per_job = images_per_job(graphs["image"])
        self._requests = threading.local()
        self._workers = ThreadPoolExecutor(max_workers=streams, thread_name_prefix="crossguard-openvino")

    @property
    def name(self) -> str:
        """Name, version, and precision of the encoders."""
        return f"openvino {self._version} ({self._precision})"

    def inputs(self, graph: str) -> tuple[str, ...]:
        """Names of the inputs of a graph."""
        return self._graphs[graph].inputs

    def load_ahead(self) -> None:
        """Begins to load, beside the caller, what any text needs, as far as it is kept compiled."""
        for name in AHEAD:
            if self._graphs[name].kept:
                self._workers.submit(self._graphs[name].compiled)

    def infer(self, jobs: Sequence[Job]) -> list[dict[str, Array]]:
        """Runs jobs side by side; returns outputs by name, in the order of the jobs."""
        return list(self._workers.map(self._run, jobs))

    def _run(self, job: Job) -> dict[str, Array]:
        requests: dict[str, Any] = vars(self._requests)
        if job.graph not in requests:
            requests[job.graph] = self._graphs[job.graph].compiled().create_infer_request()
        request = requests[job.graph]
        request.infer(dict(job.feed), share_inputs=True)
        # Copied, because the memory of the request is used again by its next job.
        return {port.get_any_name(): np.array(request.get_tensor(port).data) for port in request.model_outputs}


def _told(types: Mapping[str, str]) -> str:
    encoders = {name: types.get(name, "fp32") for name in ENCODERS}
    if len(set(encoders.values())) == 1:
        return encoders[ENCODERS[0]]
    return ", ".join(f"{name} {precision}" for name, precision in encoders.items())


class _Lazy:
    """A graph that is compiled once, by the first thread that asks; other graphs are not held up by it.

    Attributes:
        inputs: Names of the inputs.
        kept: Whether its compiled form was found in the cache.
        fell_back: Whether OpenVINO had no kernels for the precision asked for, and it is computed in fp32.
    """

    def __init__(self, core: Any, path: Path, settings: Mapping[str, Any], blob: Blob | None = None) -> None:
        self._core = core
        self._path = path
        self._settings = settings
        self._blob = blob
        self._lock = threading.Lock()
        self._model: Any = None
        self._compiled: Any = None
        self.fell_back = False
        found = blob.inputs() if blob else None
        self.kept = found is not None
        self.inputs: tuple[str, ...] = found or self._read()

    def _read(self) -> tuple[str, ...]:
        try:
            self._model = read_model(self._core, self._path)
        except RuntimeError as error:
            raise BundleError(f"OpenVINO cannot read {self._path}: {error}") from None
        return tuple(port.get_any_name() for port in self._model.inputs)

    def compiled(self) -> Any:
        """Returns the compiled graph; in fp32 where OpenVINO has no bf16 kernel for it.

        Raises:
            BundleError: It holds what OpenVINO does not compute.
        """
        with self._lock:
            if self._compiled is None:
                self._compiled = self._blob.load(self._core, self._settings) if self._blob else None
            if self._compiled is None:
                if self._model is None:
                    self._read()
                self._compiled = self._compile()
            self._model = None
            return self._compiled

    def _compile(self) -> Any:
        ov = openvino()
        exact = {**self._settings, PRECISION: ov.Type.f32}
        try:
            try:
                compiled = self._core.compile_model(self._model, "CPU", self._settings)
            except RuntimeError as error:
                if self._settings == exact:
                    raise
                told = str(error).strip().splitlines()[-1]
                logger.warning("%s is computed in fp32: OpenVINO has no bf16 for it (%s)", self._path.name, told)
                self.fell_back = True
                return self._core.compile_model(self._model, "CPU", exact)
        except RuntimeError as error:
            raise BundleError(f"OpenVINO cannot compile {self._path}: {error}") from None
        if self._blob:
            self._blob.save(compiled, self.inputs)
        return compiled


def _build_type_tables(ov: Any) -> None:
    """Uses OpenVINO's table of types once, before there are threads.

    It is a static of C++ whose construction takes the interpreter lock: two threads that come first at the same time
    can wait for each other for ever.
    """
    tensor = ov.Tensor(np.zeros(1, dtype=np.float32))
    tensor.element_type.to_dtype()
    np.array(tensor.data)
