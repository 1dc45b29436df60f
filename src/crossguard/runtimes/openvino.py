"""Runs a bundle on OpenVINO: the default on x86 and ARM processors."""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from crossguard.errors import BundleError
from crossguard.machine import available_cores, has_amx
from crossguard.runtimes.ahead import taken
from crossguard.runtimes.base import IMAGES_PER_JOB, Array, Feed, Job, images_per_job
from crossguard.runtimes.blobs import Blob, Loaded
from crossguard.runtimes.library import openvino, reason
from crossguard.runtimes.packing import IMAGES, MASK, OWNERS, SHAPES, SOURCES, first_needed, needed, packed
from crossguard.runtimes.rewriting import read_model
from crossguard.runtimes.settings import PRECISION, settings_of, streams_of

logger = logging.getLogger(__name__)


class OpenVINORuntime:
    """Graphs, and twice as many threads as streams, each with its own request per graph.

    Jobs run side by side, those of one call and those of several callers alike. A graph is compiled when its first job
    comes: posts without images never pay for the image encoder, neither in time nor in memory. `load_ahead` loads what
    most posts need while the tokenizer is read. Besides those of the bundle there are those of `packing.SHAPES`, the
    text encoder for texts in rows, and with AMX `images`: a large image encoder for full jobs, beside one for a lone
    image.

    Arguments are those of `choice.create`, with a precision for each graph; fp32 where none is given.
    """

    def __init__(
        self,
        graphs: Mapping[str, Path],
        precisions: Mapping[str, str] | None = None,
        threads: int | None = None,
        identity: str = "",
        *,
        one_by_one: bool = False,
    ) -> None:
        ov = openvino()
        core = ov.Core()
        types = {name: (precisions or {}).get(name, "fp32") for name in graphs}
        self.images_per_job = images_per_job(graphs["image"])
        # Jobs of one number of images gain by the convolutions that `read_model` makes of dense layers.
        self.fills = self.images_per_job > IMAGES_PER_JOB and has_amx()
        images = {"image": 1, IMAGES: self.images_per_job} if self.fills else {}
        self._graphs = {}
        for name, own in settings_of(types, threads, one_by_one=one_by_one).items():
            blob = Blob.of(identity, name, own) if identity else None
            form = {"rows": SHAPES.get(name), "images": images.get(name)}
            self._graphs[name] = _Lazy(core, graphs[SOURCES.get(name, name)], own, blob, form)
        # Where one was loaded ahead, whoever did that knew more about the first posts.
        ahead = (name for name in SHAPES if name in self._graphs and self._graphs[name].ahead)
        self._first = next(ahead, first_needed(one_by_one=one_by_one))
        for name, precision in types.items():
            used = IMAGES if name == "image" and self.fills and not one_by_one else name
            self.inputs(used)  # so that a broken graph is told now
            # Each record says what it was computed in, so that is known before the first one.
            first = self._graphs[used]
            if precision == "bf16" and not first.kept:
                first.compiled()
                types[name] = "fp32" if first.fell_back else precision
        text, image = types["text"], types["image"]
        told = text if text == image else f"text {text}, image {image}"
        self.name = f"openvino {ov.__version__.split('-')[0]} ({told})"
        self._requests = threading.local()
        # Two for each stream: it computes the job of one, while the other copies results and packs its next job.
        workers = 2 * streams_of(threads or available_cores())
        self._workers = ThreadPoolExecutor(max_workers=workers, thread_name_prefix="crossguard-openvino")

    def inputs(self, graph: str) -> tuple[str, ...]:
        """Names of the inputs of a graph."""
        return self._graphs[graph].inputs

    @property
    def packs(self) -> bool:
        """Whether the text encoder can be packed."""
        return MASK in self.inputs("text") and OWNERS in self.inputs(self._first)

    def load_ahead(self) -> None:
        """Begins to load, beside the caller, what any text needs, as far as it is kept compiled."""
        kept = [name for name in ("text", "fusion", self._first) if self._graphs[name].kept]
        for name in needed([name for name in kept if name not in SHAPES or self.packs]):
            self._workers.submit(self._graphs[name].compiled)

    def infer(self, jobs: Sequence[Job]) -> list[dict[str, Array]]:
        """Runs jobs side by side; returns outputs by name, in the order of the jobs."""
        return list(self._workers.map(self._run, jobs))

    def _run(self, job: Job) -> dict[str, Array]:
        rows, graph = len(next(iter(job.feed.values()))), self._graphs[job.graph]
        requests: dict[str, Any] = vars(self._requests)
        if job.graph not in requests:
            requests[job.graph] = graph.compiled().create_infer_request()
        request = requests[job.graph]
        request.infer(graph.filled(job.feed), share_inputs=True)
        # Copied, because the memory of the request is used again by its next job.
        found = {port.get_any_name(): np.array(request.get_tensor(port).data[:rows]) for port in request.model_outputs}
        if any(len(values) < rows for values in found.values()):  # with a single stream, errors may be hidden
            raise RuntimeError(f"OpenVINO computed nothing for {job.graph}, without saying why.")
        return found


def _stamp(path: Path) -> tuple[int, int, int] | None:
    """Returns what tells a file from one that replaced it; None where there is none."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_ino, status.st_size, status.st_mtime_ns


class _Lazy:
    """A graph that is compiled once, by the first thread that asks; other graphs are not held up by it.

    `form` is what `read_model` is told of its rows and images; `blob` is where its compiled form is kept, if anywhere.
    """

    def __init__(
        self, core: Any, path: Path, settings: Mapping[str, Any], blob: Blob | None, form: Mapping[str, Any]
    ) -> None:
        self._core, self._path, self._settings, self._blob, self._form = core, path, settings, blob, form
        self._stamp = _stamp(path)
        self._lock = threading.Lock()
        self._model: Any = None
        self._compiled: Any = None
        self._loaded: Loaded | None = None
        self.ahead = taken(blob, settings) if blob else None  # what is being loaded
        self._inputs: tuple[str, ...] = (blob.inputs() if blob else None) or ()
        self.fell_back = False  # whether OpenVINO had no kernels for the precision asked for, and fp32 is computed

    @property
    def inputs(self) -> tuple[str, ...]:
        """Names of the inputs.

        Raises:
            BundleError: OpenVINO cannot read it, or it was replaced.
        """
        with self._lock:
            if not self._inputs:
                self._read()
                if self._blob is not None:
                    self._blob.note(self._inputs)
            return self._inputs

    def filled(self, feed: Feed) -> dict[str, Array]:
        """Returns what the graph takes, for the inputs of a job: texts in rows, and so many images."""
        rows, images = self._form["rows"], self._form["images"]
        if rows:
            return packed(feed, rows)
        return {port: np.resize(of, (images, *of.shape[1:])) if images else of for port, of in feed.items()}

    @property
    def kept(self) -> bool:
        """Whether its compiled form is in the cache."""
        return self._blob is not None and self._blob.kept

    def _read(self) -> None:
        if _stamp(self._path) != self._stamp:
            # Run beside graphs that were read before, and kept under the digest of a bundle that it is not part of.
            raise BundleError(
                f"{self._path} was replaced or removed after its bundle was opened. Load the model again."
            )
        try:
            self._model = read_model(self._core, self._path, **self._form)
        except RuntimeError as error:
            raise BundleError(f"OpenVINO cannot read {self._path}: {error}") from None
        self._inputs = tuple(port.get_any_name() for port in self._model.inputs)

    def compiled(self) -> Any:
        """Returns the compiled graph; in fp32 where OpenVINO has no bf16 kernel for it.

        Raises:
            BundleError: It holds what OpenVINO does not compute, or was replaced.
        """
        with self._lock:
            if self._compiled is None and self._blob is not None:
                ahead = self.ahead and self.ahead.result()
                self._loaded = ahead or self._blob.load(self._core, self._settings)
                self._compiled = self._loaded and self._loaded.compiled
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
                logger.warning(
                    "%s is computed in fp32: OpenVINO has no bf16 for it (%s)", self._path.name, reason(error)
                )
                self.fell_back = True
                return self._core.compile_model(self._model, "CPU", exact)
        except RuntimeError as error:
            told = f"OpenVINO cannot compile {self._path} ({reason(error)}). Try the runtime 'onnx'."
            raise BundleError(told) from None
        if self._blob:
            self._blob.save(compiled, self._inputs)
        return compiled
