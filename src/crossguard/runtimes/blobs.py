"""Compiled graphs, kept in the user's cache: loading one takes a fifth of the time of compiling it.

What is kept is found by everything that it was made from: the digest of the bundle, settings, processor and versions.
OpenVINO reads it in native code, so it is only used when nobody else could have written it and its sha256 is right. A
cache that is gone, full, broken or another user's costs the time to compile, and nothing else.
"""

from __future__ import annotations

import hashlib
import io
import json
import mmap
import os
import stat
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from crossguard.__about__ import __version__
from crossguard.cache import cache_folder, keep
from crossguard.machine import processor_name, vector_units
from crossguard.runtimes.library import openvino
from crossguard.runtimes.packing import SHAPES
from crossguard.runtimes.rewriting import EDITION
from crossguard.runtimes.settings import STREAMS, THREADS

HEADER: Final = 4096
"""Bytes before a compiled graph, filled up with spaces: what is mapped into memory has to begin with a page."""
LARGEST: Final = 2**31
KEPT: Final = 20
"""Compiled graphs that are kept at most, those of four bundles; the ones used longest ago go first."""
Content: TypeAlias = NDArray[np.uint8]


def cache_key(*told: str) -> str:
    """Returns 64 hexadecimal digits for this processor, these versions, and what the caller tells."""
    here = (__version__, openvino().__version__, processor_name(), *vector_units(), str(EDITION), str(SHAPES))
    return hashlib.sha256("\n".join((*here, *told)).encode()).hexdigest()


@dataclass(frozen=True, slots=True, eq=False)
class Loaded:
    """A compiled graph, and the memory that its weights lie in, which has to stay as long."""

    compiled: Any
    content: Any


@dataclass(frozen=True, slots=True)
class Blob:
    """Where the compiled form of one graph is kept."""

    place: Path

    @classmethod
    def of(cls, identity: str, graph: str, settings: Mapping[str, Any]) -> Blob:
        """Returns the place for a graph of the bundle with this digest, compiled with these settings.

        Of streams and threads, only how many threads a stream has changes what is compiled.
        """
        told = {name: value for name, value in settings.items() if name not in {STREAMS, THREADS}}
        streams, threads = (int(settings.get(name, 1)) for name in (STREAMS, THREADS))
        key = cache_key(
            identity, graph, f"{threads / streams:g}", *(f"{name}={value}" for name, value in sorted(told.items()))
        )
        return cls(cache_folder() / "compiled" / f"{key[:32]}.blob")

    @property
    def kept(self) -> bool:
        """Whether there is a compiled form; whether it can be used is only known when it is loaded."""
        header = self._read(whole=False)
        return header is not None and header[1] is not None

    def inputs(self) -> tuple[str, ...] | None:
        """Returns the names of the graph's inputs; None where nothing usable is kept."""
        header = self._read(whole=False)
        return None if header is None else header[0]

    def load(self, core: Any, settings: Mapping[str, Any]) -> Loaded | None:
        """Returns the compiled graph; None where nothing usable is kept."""
        found = self._read(whole=True)
        if found is None or found[1] is None:
            return None
        with suppress(OSError):
            os.utime(self.place)
        try:
            tensor = openvino().Tensor(found[1], shared_memory=True)
            return Loaded(core.import_model(tensor, "CPU", dict(settings)), tensor)
        except RuntimeError:
            return None

    def note(self, inputs: tuple[str, ...]) -> None:
        """Keeps what a graph takes, so that it need not be read until it is run."""
        keep(self.place, _header(inputs, ""))

    def save(self, compiled: Any, inputs: tuple[str, ...]) -> None:
        """Keeps a compiled graph, if that is possible."""
        buffer = io.BytesIO(bytes(HEADER))
        buffer.seek(HEADER)
        try:
            compiled.export_model(buffer)
        except RuntimeError:  # not every device can
            return
        content = buffer.getbuffer()  # in place: where weights are floats, each copy would take 55 MB
        content[:HEADER] = _header(inputs, hashlib.sha256(content[HEADER:]).hexdigest())
        keep(self.place, content)
        with suppress(OSError):
            by_age = sorted(self.place.parent.glob("*.blob"), key=lambda path: path.stat().st_mtime)
            for path in by_age[:-KEPT]:
                path.unlink()

    def _read(self, *, whole: bool) -> tuple[tuple[str, ...], Content | None] | None:
        try:
            with self.place.open("rb") as file:
                if not (_is_ours(self.place.parent.stat()) and _is_ours(os.fstat(file.fileno()))):
                    return None
                return _parsed(file, whole=whole)
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            return None


def _header(inputs: tuple[str, ...], digest: str) -> bytes:
    return json.dumps({"inputs": inputs, "sha256": digest}).encode().ljust(HEADER - 1) + b"\n"


def _parsed(file: IO[bytes], *, whole: bool) -> tuple[tuple[str, ...], Content | None]:
    header = json.loads(file.read(HEADER))
    inputs = tuple(map(str, header["inputs"]))
    size = os.fstat(file.fileno()).st_size
    if not HEADER < size <= LARGEST:
        return inputs, None
    if not whole:
        return inputs, np.zeros(0, np.uint8)
    # Mapped and not read, so that processes share it and it can leave memory again. A file of the cache is replaced as
    # a whole, never written into. OpenVINO wants memory that it could write to: that would be a copy of its own.
    content = np.frombuffer(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY), np.uint8, offset=HEADER)
    return inputs, content if hashlib.sha256(content.data).hexdigest() == header["sha256"] else None


def _is_ours(status: os.stat_result) -> bool:
    """Whether only this user could have written a file or folder; on Windows the user's cache is trusted."""
    return not hasattr(os, "geteuid") or (
        status.st_uid == os.geteuid() and not status.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
    )
