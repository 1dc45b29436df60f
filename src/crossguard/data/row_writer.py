"""Rows on their way to the disk or a pipe."""

from __future__ import annotations

import io
import time
from typing import BinaryIO

from crossguard.data.row_formats import RowFormat
from crossguard.errors import OutputError
from crossguard.records import Decision

_FLUSH_ROWS = 64
_FLUSH_SECONDS = 1.0


class RowWriter:
    """Writes rows to an open binary stream and keeps at most a second of them in memory."""

    def __init__(self, stream: BinaryIO | io.FileIO, rows: RowFormat, name: str) -> None:
        self._stream = stream
        self._rows = rows
        self._name = name
        self._waiting: list[bytes] = []
        self._flushed = time.monotonic()

    def write(self, decision: Decision) -> None:
        """Adds one row.

        Raises:
            OutputError: The disk is full, or writing fails otherwise.
        """
        self._waiting.append(self._rows.encode(decision))
        if len(self._waiting) >= _FLUSH_ROWS or time.monotonic() - self._flushed > _FLUSH_SECONDS:
            self.flush()

    def header(self) -> None:
        """Adds the header of the format, if it has one."""
        self._waiting.append(self._rows.header)

    def flush(self) -> None:
        """Hands all rows to the operating system.

        Raises:
            OutputError: The disk is full, or writing fails otherwise.
        """
        left = memoryview(b"".join(self._waiting))
        self._waiting.clear()
        self._flushed = time.monotonic()
        try:
            while left:
                left = left[self._stream.write(left) or 0 :]
            self._stream.flush()
        except BrokenPipeError:
            raise
        except OSError as error:
            raise write_failure(self._name, error) from None


def write_failure(name: str, error: OSError) -> OutputError:
    """Returns the error for a full disk and its like."""
    return OutputError(
        f"Cannot write '{name}': {error.strerror or error}. Complete rows are kept; continue with --resume."
    )
