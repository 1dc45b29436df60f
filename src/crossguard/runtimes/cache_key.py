"""What is kept of a bundle on a machine is found by what it was made from."""

from __future__ import annotations

import hashlib

from crossguard.__about__ import __version__
from crossguard.machine import processor_name, vector_units
from crossguard.runtimes.library import openvino
from crossguard.runtimes.packing import SHAPES
from crossguard.runtimes.rewriting import EDITION


def cache_key(*told: str) -> str:
    """Returns 64 hexadecimal digits for this processor, these versions, and what the caller tells."""
    here = (__version__, openvino().__version__, processor_name(), *vector_units(), str(EDITION), str(SHAPES))
    return hashlib.sha256("\n".join((*here, *told)).encode()).hexdigest()
