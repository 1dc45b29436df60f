"""Ranges of a file in a storage, unpacked where that is needed; requests are repeated where the storage fails."""

from __future__ import annotations

import errno
import gzip
import io
import os
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import PurePosixPath
from typing import Any, Final

from crossguard.errors import StorageError, first_line

BUFFER: Final = 1 << 20
_PACKED_BUFFER: Final = 1 << 18
"""Of packed bytes, which may stand for hundreds each: to count the posts of a file, whole buffers are read."""
_UNPACKED_BUFFER: Final = 1 << 16
PACKED: Final = (".gz", ".zst")
"""Suffixes of what `decompressed` unpacks."""
_ATTEMPTS: Final = 5


class Ranges(io.RawIOBase):
    """Ranges of a file as one readable, seekable file; trouble of the storage is never mistaken for damaged data."""

    def __init__(self, file: Any, path: str, ranges: Sequence[tuple[int, int]]) -> None:
        super().__init__()
        self._file = file
        self._path = path
        self._ranges = ranges
        self._position = 0
        self.size = sum(stop - start for start, stop in self._ranges)

    def readable(self) -> bool:
        """Yes."""
        return True

    def seekable(self) -> bool:
        """Yes."""
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Moves to a position.

        Raises:
            OSError: It lies before the beginning, where readers look for the end of a longer file.
        """
        position = offset + {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self.size}[whence]
        if position < 0:
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
        self._position = position
        return position

    def tell(self) -> int:
        """Returns the position."""
        return self._position

    def readinto(self, buffer: Any) -> int:
        """Reads at most what fits."""
        before = 0
        for start, stop in self._ranges:
            place = start + self._position - before
            before += stop - start
            if self._position < before:
                count = min(len(buffer), stop - place)
                data = retried(lambda: self._file.read_at(count, place), self._path)  # noqa: B023 - called at once
                buffer[: len(data)] = data
                self._position += len(data)
                return len(data)
        return 0

    def close(self) -> None:
        """Closes the file."""
        if not self.closed:
            with suppress(OSError):
                self._file.close()
        super().close()


def decompressed(file: Ranges, path: str) -> Any:
    """Returns the bytes behind `.gz` and `.zst`; those of the file for other names."""
    name = path.lower()
    plain = io.BufferedReader(file, _PACKED_BUFFER if name.endswith(PACKED) else BUFFER)
    if name.endswith(".gz"):
        return gzip.GzipFile(fileobj=plain)
    if name.endswith(".zst"):
        import pyarrow as pa

        # What stands before damage is read as far as the buffer allows.
        return io.BufferedReader(pa.CompressedInputStream(pa.PythonFile(plain, "r"), "zstd"), _UNPACKED_BUFFER)
    return plain


def suffix_of(path: str) -> str:
    """Returns the suffix of a name in lower case; the one before `.gz` and `.zst`."""
    name = PurePosixPath(path.lower())
    return (name.with_suffix("") if name.suffix in PACKED else name).suffix


def retried(request: Any, name: str) -> Any:
    """Returns what a request returns; tries again, ever later, where the storage fails.

    Raises:
        StorageError: It failed every time, or the storage calls it invalid.
    """
    for attempt in range(_ATTEMPTS):
        try:
            return request()
        except OSError as error:
            if attempt + 1 == _ATTEMPTS or isinstance(error, FileNotFoundError | PermissionError):
                raise StorageError(f"'{name}' cannot be reached: {_reason(error)}") from None
            time.sleep(0.2 * 3**attempt)
        except ValueError as error:  # of Google's storage, a 400
            raise StorageError(f"The storage refuses '{name}': {_reason(error)}") from None
    raise AssertionError("there is at least one attempt")


def _reason(error: Exception) -> str:
    return first_line(error).partition(" error_info=")[0]
