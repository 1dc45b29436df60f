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
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import IO, Any, BinaryIO, Final, Self

from crossguard.data.masking import visible_lines
from crossguard.data.row_formats import JsonlRows, RowFormat
from crossguard.data.whole_files import WholeFile
from crossguard.errors import OutputError
from crossguard.records import Decision
from crossguard.saving import whole_file
from crossguard.schema import Names, written_columns

fcntl: Any
try:
    import fcntl
except ImportError:  # Windows
    fcntl = None


_FLUSH_ROWS: Final = 64
_FLUSH_SECONDS: Final = 1.0


class Output:
    """A stream of decisions: rows go out as they come, at most a second of them in memory, and nothing is continued.

    Steps: `previous()` to its end where a run is continued, `start()`, `write(decision)`..., `finish()`. Use as a
    context manager: on leaving, what was written is with the operating system.

    Attributes:
        kept: The columns of the input that it has room for; any when None.
        for_people: Whether people look at it, and so need to see the posts.
    """

    for_people = False

    def __init__(self, stream: BinaryIO | None, rows: RowFormat, name: str) -> None:
        self._stream = stream
        self._rows = rows
        self.kept = rows.kept
        self._name = name
        self._waiting: list[bytes] = []
        self._flushed = time.monotonic()

    def previous(self) -> Iterator[Decision]:
        """Yields the complete rows that are there already; of a stream, none."""
        yield from ()

    def start(self) -> None:
        """Adds the header of the format, if it has one."""
        self._waiting.append(self._rows.header)

    def write(self, decision: Decision) -> None:
        """Adds one row; raises as `flush`."""
        self._waiting.append(self._rows.encode(decision))
        if len(self._waiting) >= _FLUSH_ROWS or time.monotonic() - self._flushed > _FLUSH_SECONDS:
            self.flush()

    def flush(self) -> None:
        """Hands all rows to the operating system.

        Raises:
            OutputError: It does not take them: the disk is full, or the like.
        """
        assert self._stream is not None, "start() comes first"
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

    def finish(self) -> None:
        """Ends a run in which every post got its row."""
        self.close()

    def close(self) -> None:
        """Writes what waits; the stream belongs to the caller."""
        self.flush()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class TerminalOutput(Output):
    """Rows on a terminal, which nothing in a post steers."""

    def flush(self) -> None:
        """Hands all rows to the operating system, without characters that steer; raises as that of a stream."""
        self._waiting[:] = [visible_lines(b"".join(self._waiting).decode()).encode()]
        super().flush()


class FileOutput(Output):
    """One file of decisions, new or continued: when it is closed, what was written is on disk."""

    def __init__(self, path: Path, rows: RowFormat, name: Path) -> None:
        super().__init__(None, rows, str(name))
        self._path = path
        self._end = 0

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
        if not self._end:
            super().start()
            self.flush()

    def close(self) -> None:
        """Writes what waits and closes the file, which can be continued."""
        file = self._stream
        if file is None:
            return
        try:
            self.flush()
        finally:
            self._stream = None
            with suppress(OSError):  # pipes and devices cannot be synchronised
                os.fsync(file.fileno())
            file.close()

    def _open(self) -> BinaryIO:
        if self._stream is None:
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
            self._stream = file
        return self._stream


class JournaledOutput(FileOutput):
    """A file that is written at once, with its journal beside it while the run goes on."""

    def __init__(self, path: Path, names: Names, kind: WholeFile) -> None:
        kind.require(f"Writing {path.suffix or path.name}")
        self._target = path
        self._names = names
        self._kind = kind
        self._is_copy = False  # whether the journal holds only the rows of a finished file
        super().__init__(journal_of(path), JsonlRows(), path)
        self.for_people = kind.read is None
        self.kept = None if self.for_people else names.input

    def previous(self) -> Iterator[Decision]:
        """Yields the rows of the journal, or those of a finished file, which become a journal again."""
        if not self._path.exists() and has_content(self._target):
            if self._kind.read is None:
                raise OutputError(f"A finished '{self._name}' cannot be continued. Write it anew with --overwrite.")
            with whole_file(self._path) as unfinished, unfinished.open("wb") as stream:
                stream.writelines(map(self._rows.encode, self._kind.read(self._target, written_columns)))
            self._open()
            self._is_copy = True
        yield from super().previous()

    def start(self) -> None:
        """Opens the journal for more rows; from here on it is kept, whatever happens."""
        super().start()
        self._is_copy = False

    def close(self) -> None:
        """Closes the journal, which can be continued; one of a run that was refused goes, as the file has its rows."""
        is_copy, self._is_copy = self._is_copy, False
        if is_copy:
            self._remove_journal()
        super().close()

    def finish(self) -> None:
        """Turns the journal into the file."""
        self.flush()
        try:
            with self._path.open("rb") as stream:
                rows = (decision for decision, _ in self._rows.decode(stream))
                self._kind.write_at_once(rows, self._names, self._target)
            self._remove_journal()
        except OSError as error:
            raise write_failure(self._name, error) from None
        self.close()

    def _remove_journal(self) -> None:
        try:
            self._path.unlink()
        except PermissionError:  # Windows removes no file that is open; elsewhere another run waits for its lock
            self.close()
            self._path.unlink()


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


def lock_file(file: IO[bytes], *, shared: bool = False) -> bool:
    """Locks a regular file until it is closed; False where another run holds it. Some file systems have no locks.

    A lock that is shared keeps out only those that want the file alone.
    """
    if fcntl is None or not _is_regular(file):
        return True
    try:
        fcntl.flock(file.fileno(), (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return True
    return True


def _is_regular(file: IO[bytes]) -> bool:
    return stat.S_ISREG(os.fstat(file.fileno()).st_mode)
