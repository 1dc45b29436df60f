"""How the process of a command ends: at once where its work is done and written."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from typing import Final

_kept: Final[list[object]] = []


def until_exit(model: object) -> None:
    """Keeps a model until the process ends, which then ends at once: taking a model apart takes a tenth of a second.

    Only for a command that leaves nothing to be done at exit. In a process that goes on, the next model replaces it.
    """
    _kept[:] = [model]


def end(code: int) -> None:
    """Ends the process."""
    if _kept:
        with suppress(OSError, ValueError):  # what cannot be written is left to the interpreter, which then says so
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)
    sys.exit(code)
