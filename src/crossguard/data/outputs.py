"""One file of decisions, new or continued; a file that was cut anywhere goes on without a lost or doubled row.

JSONL and CSV grow row by row, and their complete rows are the journal. Parquet, Excel and HTML cannot grow, so their
rows stand in `NAME.journal` (JSONL) until the run is finished, and are then written at once.

The file is locked from its first reading to its end, so that two runs never write into one output.
"""

from __future__ import annotations

import io
import os
import stat
import time
from collections.abc import Collection, Iterator
from contextlib import suppress
from pathlib import Path
from typing import IO, Any, BinaryIO, Final, Self

from crossguard.data.row_formats import JsonlRows, RowFormat
from crossguard.data.whole_files import WholeFile
from crossguard.errors import OutputError
from crossguard.records import Decision
from crossguard.saving import whole_file
from crossguard.schema import Names

fcntl: Any
try:
    import fcntl
except ImportError:  # Windows
    fcntl = None


_FLUSH_ROWS: Final = 64
_FLUSH_SECONDS: Final = 1.0


class RowWriter:
    """Writes rows to an open binary stream and keeps at most a second of them in memory."""

    def __init__(self, stream: BinaryIO | io.FileIO, rows: RowFormat, name: str) -> None:
        self._stream = stream
        self._rows = rows
        self._name = name
        self._waiting: list[bytes] = []
        self._flushed = time.monotonic()

    def write(self, decision: Decision) -> None:
        """Adds one row; raises as `flush`."""
        self._waiting.append(self._rows.encode(decision))
        if len(self._waiting) >= _FLUSH_ROWS or time.monotonic() - self._flushed > _FLUSH_SECONDS:
            self.flush()

    def header(self) -> None:
        """Adds the header of the format, if it has one."""
        self._waiting.append(self._rows.header)

    def flush(self) -> None:
        """Hands all rows to the operating system."""
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


class Output:
    """One file of decisions, new or continued. Use as a context manager: on leaving, what was written is on disk.

    Steps: `previous()` to its end where a run is continued, `start()`, `write(decision)`..., `finish()`.

    Attributes:
        kept: The columns of the input that it has room for; any when None.
    """

    kept: Collection[str] | None = None

    # Whether people look at it, and so need to see the posts.
    for_people = False

    def __init__(self, path: Path, rows: RowFormat, name: Path) -> None:
        self._path = path
        self._rows = rows
        self._name = str(name)
        self._end = 0
        self._file: io.FileIO | None = None
        self._writer: RowWriter | None = None

    def previous(self) -> Iterator[Decision]:
        """Yields the complete rows that are there already; a row that was cut is not among them."""
        if not has_content(self._path):
            return
        self._open()
        try:
            with self._path.open("rb") as stream:
                for decision, end in self._rows.decode(stream):
                    yield decision
                    self._end = end
        except BaseException:
            self.close()
            raise

    def start(self) -> None:
        """Cuts the file behind the rows that `previous` gave, and opens it for more."""
        file = self._open()
        try:
            if _is_regular(file):
                file.truncate(self._end)
                file.seek(self._end)
        except OSError as error:
            raise write_failure(self._name, error) from None
        self._writer = RowWriter(file, self._rows, self._name)
        if not self._end:
            self._writer.header()
            self._writer.flush()

    def write(self, decision: Decision) -> None:
        """Adds one row; raises as `RowWriter.flush`."""
        assert self._writer is not None, "start() comes first"
        self._writer.write(decision)

    def finish(self) -> None:
        """Ends a run in which every post got its row."""
        self.close()

    def close(self) -> None:
        """Writes what waits and closes the file, which can be continued."""
        file, self._file = self._file, None
        if file is None:
            return
        try:
            if self._writer is not None:
                self._writer.flush()
        finally:
            with suppress(OSError):  # pipes and devices cannot be synchronised
                os.fsync(file.fileno())
            file.close()

    def _open(self) -> io.FileIO:
        if self._file is None:
            try:
                file = _opened(self._path)
            except OSError as error:
                raise write_failure(self._name, error) from None
            if not lock_file(file):
                file.close()
                raise OutputError(
                    f"'{self._name}' is being written by another run of Crossguard. Wait for its end, or choose "
                    "another name."
                )
            self._file = file
        return self._file

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class JournaledOutput(Output):
    """A file that is written at once, with its journal beside it while the run goes on."""

    def __init__(self, path: Path, names: Names, kind: WholeFile) -> None:
        kind.require(f"Writing {path.suffix or path.name}")
        self._target = path
        self._names = names
        self._kind = kind
        self.for_people = kind.read is None
        super().__init__(journal_of(path), JsonlRows(), path)

    def previous(self) -> Iterator[Decision]:
        """Yields the rows of the journal, or those of a finished file, which become a journal again."""
        if not self._path.exists() and has_content(self._target):
            if self._kind.read is None:
                raise OutputError(f"A finished '{self._name}' cannot be continued. Write it anew with --overwrite.")
            with whole_file(self._path) as unfinished, unfinished.open("wb") as stream:
                stream.writelines(map(self._rows.encode, self._kind.read(self._target)))
        yield from super().previous()

    def finish(self) -> None:
        """Turns the journal into the file."""
        if self._writer is not None:
            self._writer.flush()
        try:
            with self._path.open("rb") as stream:
                rows = (decision for decision, _ in self._rows.decode(stream))
                self._kind.write_at_once(rows, self._names, self._target)
            self._path.unlink()
        except OSError as error:
            raise write_failure(self._name, error) from None
        self.close()


class StreamOutput(Output):
    """A pipe or a terminal: rows go out as they come, and nothing is continued."""

    def __init__(self, stream: BinaryIO, rows: RowFormat) -> None:
        super().__init__(Path(), rows, Path("stdout"))
        self._stream = stream

    def previous(self) -> Iterator[Decision]:
        """Yields nothing."""
        yield from ()

    def start(self) -> None:
        """Writes the header."""
        self._writer = RowWriter(self._stream, self._rows, self._name)
        self._writer.header()

    def close(self) -> None:
        """Writes what waits; the stream belongs to the caller."""
        if self._writer is not None:
            self._writer.flush()


def journal_of(path: Path) -> Path:
    """Returns where the rows of a file stand that is written at once."""
    return path.with_name(f"{path.name}.journal")


def write_failure(name: str, error: OSError) -> OutputError:
    """Returns the error for a full disk and its like."""
    kept = any(map(has_content, (Path(name), journal_of(Path(name)))))
    rest = " Complete rows are kept; continue with --resume." if kept else ""
    return OutputError(f"Cannot write '{name}': {error.strerror or error}.{rest}")


def has_content(path: Path) -> bool:
    """Whether a path is a regular file with something in it."""
    return path.is_file() and path.stat().st_size > 0


def _opened(path: Path) -> io.FileIO:
    """Opens a file without changing what is in it; it is created where there is none."""
    if path.exists() and not path.is_file():  # a pipe or a device
        return io.FileIO(path, "w")
    return io.FileIO(path, "r+", opener=lambda name, flags: os.open(name, flags | os.O_CREAT, 0o666))


def lock_file(file: IO[bytes]) -> bool:
    """Locks a regular file until it is closed; False where another run holds it. Some file systems have no locks."""
    if fcntl is None or not _is_regular(file):
        return True
    try:
        fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return True
    return True


def _is_regular(file: IO[bytes]) -> bool:
    return stat.S_ISREG(os.fstat(file.fileno()).st_mode)
