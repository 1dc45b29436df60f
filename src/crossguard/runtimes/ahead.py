"""Loads graphs that are kept compiled while the rest of the program is imported and the bundle is read.

The manifest is not checked yet, so nothing of it is used but a digest. It finds what was kept when the files of a
bundle had been compared with that digest, and whoever takes a graph has compared them again.
"""

from __future__ import annotations

import importlib.util
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final, TypeAlias

from crossguard.runtimes import tuning
from crossguard.runtimes.blobs import Blob, Loaded
from crossguard.runtimes.library import openvino
from crossguard.runtimes.packing import OWNERS, TEXTS, first_needed, needed
from crossguard.runtimes.settings import settings_of

GRAPHS: Final = ("text", "image", "fusion")
# Those of a short text, which is computed ahead.
TOKENS: Final = 16
Key: TypeAlias = tuple[int, Path, str]
_loading: dict[Key, Future[Loaded | None]] = {}


@contextmanager
def loading_ahead(
    manifest: Path, graphs: Sequence[str], precision: str, threads: int | None, *, one_by_one: bool, characters: int = 0
) -> Iterator[None]:
    """Loads graphs of a bundle beside the block, which takes those that it needs with `taken`.

    Args:
        manifest: That of the bundle; where it cannot be read, nothing happens.
        graphs: Which.
        precision: As of `choice.create`.
        threads: As of `choice.create`.
        one_by_one: Whether posts come one at a time. Then each graph is run once, which makes its kernels.
        characters: How long the first text is, where that is known.
    """
    if importlib.util.find_spec("openvino") is None:
        yield
        return
    # Imported here and not in a thread, which would wait for the interpreter as long as there is something to import.
    core = openvino().Core()
    identity, precisions = _told(manifest, precision)
    own = settings_of(precisions, threads, one_by_one=one_by_one)
    blobs = {graph: Blob.of(identity, graph, settings) for graph, settings in own.items()}
    asked = (*graphs, first_needed(one_by_one=one_by_one, characters=characters))
    pool = ThreadPoolExecutor(len(graphs), thread_name_prefix="crossguard-ahead")
    keys = []
    for graph in needed(graph for graph in asked if graph in blobs and blobs[graph].kept):
        keys.append(_key(blobs[graph], own[graph]))
        _loading[keys[-1]] = pool.submit(_load, blobs[graph], core, own[graph], run=one_by_one)
    try:
        yield
    finally:
        for key in keys:
            _loading.pop(key, None)
        pool.shutdown(wait=False)


def taken(blob: Blob, settings: Mapping[str, Any]) -> Future[Loaded | None] | None:
    """Returns a graph that is being loaded, which nobody else gets; None for one that is not."""
    return _loading.pop(_key(blob, settings), None)


def _told(manifest: Path, precision: str) -> tuple[str, dict[str, str]]:
    """Returns the digest in a manifest, and the precision of each graph as far as it is known."""
    try:
        told = json.loads(manifest.read_bytes())
        identity, allowed = told["digest"], told.get("precisions", [tuning.EXACT])
        if not (isinstance(identity, str) and set(allowed) <= {tuning.EXACT, "bf16"}):
            return "", {}
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return "", {}
    if precision != "auto":
        return identity, dict.fromkeys(GRAPHS, precision)
    choice = tuning.settled(GRAPHS, allowed, identity)
    return identity, {} if choice is None else dict(choice.precisions)


def _load(blob: Blob, core: Any, settings: Mapping[str, Any], *, run: bool) -> Loaded | None:
    loaded = blob.load(core, settings)
    if loaded is not None and run:
        with suppress(RuntimeError):  # whoever scores with it is told
            inputs = loaded.compiled.inputs
            rows = TEXTS if OWNERS in {port.get_any_name() for port in inputs} else 1
            loaded.compiled.create_infer_request().infer(tuning.example(inputs, rows, TOKENS))
    return loaded


def _key(blob: Blob, settings: Mapping[str, Any]) -> Key:
    # In a fork, a graph that the parent was loading would be waited for in vain.
    return os.getpid(), blob.place, str(sorted((name, str(value)) for name, value in settings.items()))
