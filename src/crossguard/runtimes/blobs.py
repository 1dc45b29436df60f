"""Compiled graphs, kept in the user's cache: loading one takes a fifth of the time of compiling it.

What is kept is found by everything that it was made from: the digest of the bundle, settings, processor and versions.
OpenVINO reads it in native code, so it is only used when nobody else could have written it and its sha256 is right. A
cache that is gone, full, broken or another user's costs the time to compile, and nothing else.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import stat
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final

import numpy as np

from crossguard.cache import cache_folder, keep
from crossguard.runtimes.cache_key import cache_key
from crossguard.runtimes.library import openvino

LONGEST_HEADER: Final = 4096
LARGEST: Final = 2**31
KEPT: Final = 12
"""Compiled graphs that are kept at most, those of four bundles; the ones used longest ago go first."""


@dataclass(frozen=True, slots=True)
class Blob:
    """Where the compiled form of one graph is kept."""

    place: Path

    @classmethod
    def of(cls, identity: str, graph: str, settings: Mapping[str, Any]) -> Blob:
        """Returns the place for a graph of the bundle with this digest, compiled with these settings."""
        key = cache_key(identity, graph, *(f"{name}={value}" for name, value in sorted(settings.items())))
        return cls(cache_folder() / "compiled" / f"{key[:32]}.blob")

    def inputs(self) -> tuple[str, ...] | None:
        """Returns the names of the graph's inputs; None where nothing usable is kept."""
        header = self._read(whole=False)
        return None if header is None else header[0]

    def load(self, core: Any, settings: Mapping[str, Any]) -> Any:
        """Returns the compiled graph; None where nothing usable is kept."""
        found = self._read(whole=True)
        if found is None:
            return None
        with suppress(OSError):
            os.utime(self.place)
        try:
            # A stream would be copied once more: 56 MiB of the peak for `compact`.
            content = openvino().Tensor(np.frombuffer(found[1], np.uint8))
            return core.import_model(content, "CPU", dict(settings))
        except RuntimeError:
            return None

    def save(self, compiled: Any, inputs: tuple[str, ...]) -> None:
        """Keeps a compiled graph, if that is possible."""
        buffer = io.BytesIO()
        try:
            compiled.export_model(buffer)
        except RuntimeError:  # not every device can
            return
        content = buffer.getvalue()
        header = {"inputs": inputs, "sha256": hashlib.sha256(content).hexdigest()}
        keep(self.place, json.dumps(header).encode() + b"\n" + content)
        with suppress(OSError):
            by_age = sorted(self.place.parent.glob("*.blob"), key=lambda path: path.stat().st_mtime)
            for path in by_age[:-KEPT]:
                path.unlink()

    def _read(self, *, whole: bool) -> tuple[tuple[str, ...], bytes] | None:
        try:
            with self.place.open("rb") as file:
                if not (_is_ours(self.place.parent.stat()) and _is_ours(os.fstat(file.fileno()))):
                    return None
                return _parsed(file, whole=whole)
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            return None


def _parsed(file: IO[bytes], *, whole: bool) -> tuple[tuple[str, ...], bytes] | None:
    header = json.loads(file.readline(LONGEST_HEADER))
    inputs = tuple(map(str, header["inputs"]))
    if not whole:
        return inputs, b""
    # Not `read(LARGEST)`, which takes that much memory before it reads a byte.
    if os.fstat(file.fileno()).st_size > LARGEST:
        return None
    content = file.read()
    return (inputs, content) if hashlib.sha256(content).hexdigest() == header["sha256"] else None


def _is_ours(status: os.stat_result) -> bool:
    """Whether only this user could have written a file or folder; on Windows the user's cache is trusted."""
    return not hasattr(os, "geteuid") or (
        status.st_uid == os.geteuid() and not status.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
    )
