"""Files on this machine, in S3, Google Cloud Storage and HDFS behind one small class, over pyarrow's file systems.

pyarrow reads Parquet by row groups, and its wheel carries clients for all four: no other package is needed.
"""

from __future__ import annotations

import copy
import errno
import io
import itertools
import os
import posixpath
import re
import secrets
import shutil
import tempfile
from collections.abc import Callable, Iterator, MutableSequence, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO, Final

from crossguard.data.image_limits import ImageLimits
from crossguard.data.ranges import BUFFER, Ranges, retried
from crossguard.errors import (
    ChangedError,
    ConfigError,
    CrossguardError,
    ImageError,
    LockedError,
    OutputError,
    StorageError,
    TableError,
    first_line,
    needs_extra,
)

UNFINISHED: Final = "_unfinished"
JOB_FOLDER: Final = "_job"
PARTS_MANIFEST: Final = "_manifest.jsonl"
"""Names the parts in a folder of a job, in order; written when all of them are there (`jobs/parts.py`)."""
_IN_JOB: Final = re.compile(rf"(.+?)/(?:{JOB_FOLDER}|{re.escape(PARTS_MANIFEST)})(?:/|$)")
SCHEMES: Final = ("s3", "gs", "gcs", "hdfs", "viewfs", "abfs", "abfss")
"""What addresses of storages begin with, before `://`."""
_REMOTE: Final = re.compile(rf"^({'|'.join(SCHEMES)})://")
_WITH_OPTIONS: Final = re.compile(r"(.*)\?(\w+=[^?]*)", re.DOTALL)
_WITH_HOST: Final = ("hdfs", "viewfs")
# Objects of these appear under their name only once they are whole.
_ATOMIC: Final = ("s3", "gcs", "abfs")
_FULL: Final = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES, errno.EPERM}
_CHUNK: Final = 8 << 20
_OPTIONS: Final = {  # what an address says itself comes first, and counts
    # A small file then takes one request, and not the three of an upload in pieces.
    "s3": "allow_delayed_open=true",
    # The client itself asks again for a quarter of an hour, which five attempts would make more than one.
    "gs": "retry_limit_seconds=10",
    "gcs": "retry_limit_seconds=10",
}


@dataclass(frozen=True, slots=True, order=True)
class Entry:
    """One file."""

    path: str  # as its file system calls it
    size: int  # bytes
    changed: int  # time of the last change, nanoseconds; compared for equality only, so clocks need not agree
    problem: str = ""  # why it cannot be read, where a list of its folder shows that


class Storage:
    """A file system, and a place in it.

    Attributes:
        path: The place: a file, a folder, or a prefix with wildcards.
        address: The place as people write it.
    """

    def __init__(self, address: str) -> None:
        """Connects; nothing is read yet.

        Raises:
            MissingExtraError: pyarrow is not installed.
            ConfigError: Java or Hadoop's client is not here.
            TableError: The address cannot be understood.
        """
        with needs_extra("Reading many files, or from a storage,", "jobs"):
            from pyarrow import fs
        self.address = address
        if is_remote(address):
            scheme, rest = address.split("://", 1)
            # Options and place are cut off: wildcards, `?` among them, are no part of a URI.
            rest, query = options.groups() if (options := _WITH_OPTIONS.fullmatch(rest)) else (rest, "")
            host, _, path = rest.partition("/")
            query = "&".join(filter(None, [query, _OPTIONS.get(scheme)]))
            base = f"{scheme}://{host}/" + (f"?{query}" if query else "")
            self._fs, root = retried(lambda: _connected(base, address), address)
            self.path = posixpath.join(root, path.strip("/")).rstrip("/") or root
            kept = host if scheme in _WITH_HOST else "anonymous@" * host.startswith("anonymous@")
            self._prefix = f"{scheme}://{kept}"
        else:
            self._fs, self._prefix = fs.LocalFileSystem(), ""
            self.path = Path(address.removeprefix("file://")).absolute().as_posix()

    @property
    def is_local(self) -> bool:
        """Whether it is a path of this machine."""
        return bool(self._fs.type_name == "local")

    def address_of(self, path: str) -> str:
        """Returns a path of this file system as an address."""
        return self._prefix + path

    def at(self, path: str) -> Storage:
        """Returns another place in the same file system."""
        place = copy.copy(self)
        place.path, place.address = path, self.address_of(path)
        return place

    def join(self, name: str) -> str:
        """Returns the path of a name under the place."""
        return f"{self.path.rstrip('/')}/{name}"

    def entry(self, path: str) -> Entry | None:
        """Returns one file; None where there is none, or it is a folder."""
        info = self._asked(lambda: self._fs.get_file_info(path), path)
        return _entry(info) if info.is_file else None

    def is_folder(self, path: str) -> bool:
        """Whether a path is a folder, or a prefix of objects."""
        from pyarrow import fs

        return bool(self._asked(lambda: self._fs.get_file_info(path), path).type == fs.FileType.Directory)

    def list(
        self,
        folder: str,
        *,
        deep: bool = False,
        jobs: MutableSequence[str] | None = None,
        locked: MutableSequence[Entry] | None = None,
    ) -> Iterator[Entry]:
        """Yields the files of a folder in the order of their names; `deep` includes those of its subfolders.

        Hidden files and folders, and those that begin with `_`, are left out, as all readers of data sets do; so are
        links to folders, which may lead back to where they stand. Links that lead nowhere, pipes and other things that
        are no files, and objects with `//` in their key are entries with a `problem`. Subfolders that hold a job are
        left out, too, and added to `jobs`, unless that is None; those that this user may not read are added to
        `locked`.

        Raises:
            StorageError: The storage does not answer.
            LockedError: This user may not read the folder, or a subfolder, and there is no list of such.
            TableError: A name is not UTF-8, which pyarrow cannot open.
        """
        found = self._found(folder, deep=deep)
        if jobs is not None and deep and self._lists_at_once:
            inside = {folder + match[1] for info in found if (match := _IN_JOB.match(info.path, len(folder)))}
            jobs.extend(sorted(inside))
            if inside:
                found = [info for info in found if inside.isdisjoint(map(str, PurePosixPath(info.path).parents))]
        yield from self._files(folder, found, deep=deep, jobs=jobs, locked=locked)

    @property
    def _lists_at_once(self) -> bool:
        """Whether subfolders are not listed one by one.

        pyarrow lists no folders of Google Cloud Storage but those that are an object themselves, which is rare.
        """
        return bool(self._fs.type_name == "gcs")

    def _found(self, folder: str, *, deep: bool) -> Sequence[Any]:
        """Returns what a folder holds, as pyarrow describes it, in the order of the names."""
        from pyarrow import fs

        selector = fs.FileSelector(folder, allow_not_found=True, recursive=deep and self._lists_at_once)
        found: Sequence[Any] = self._asked(lambda: self._fs.get_file_info(selector), folder)
        try:
            found = [*found, *(self._dangling(folder, found) if self.is_local else ())]
            return sorted(found, key=lambda info: str(info.path).split("/"))
        except UnicodeError:
            raise TableError(
                f"The folder '{self.address_of(folder)}' has a name that is not UTF-8. Rename it, such as by: "
                f"convmv -f latin1 -t utf8 -r --notest '{folder}'"
            ) from None

    def _dangling(self, folder: str, found: Sequence[Any]) -> Sequence[Any]:
        """Returns the links in a folder that lead nowhere, which pyarrow does not list."""
        from pyarrow import fs

        listed = {info.path for info in found}
        with suppress(FileNotFoundError, NotADirectoryError), os.scandir(folder) as here:
            links = [each.path for each in here if each.is_symlink() and each.path not in listed]
            lost = [link for link in links if not os.path.exists(link)]  # noqa: PTH110 - pathlib raises for some
            return [fs.FileInfo(link, fs.FileType.NotFound) for link in lost]
        return []

    def _files(
        self,
        folder: str,
        found: Sequence[Any],
        *,
        deep: bool,
        jobs: MutableSequence[str] | None,
        locked: MutableSequence[Entry] | None,
    ) -> Iterator[Entry]:
        """Yields the files among what a folder holds, and those of its subfolders where `deep`."""
        from pyarrow import fs

        for info in found:
            if any(name.startswith((".", "_")) for name in info.path[len(folder) :].split("/")):
                continue
            if info.type != fs.FileType.Directory:
                yield replace(_entry(info), problem=self._problem(info))
            elif self.is_local and Path(info.path).is_symlink():
                continue
            elif deep and not self._lists_at_once:
                nameless = info.path.rstrip("/") == folder.rstrip("/")
                yield from self._nameless(folder) if nameless else self._subfolder(info, jobs, locked)

    def _nameless(self, folder: str) -> Iterator[Entry]:
        """Yields the objects in the subfolder of a prefix whose name is empty, which pyarrow lists as the prefix."""
        from pyarrow import fs

        selector = fs.FileSelector(folder, recursive=True)
        found = self._asked(lambda: self._fs.get_file_info(selector), folder)
        inside = (info for info in found if info.is_file and info.path.startswith(f"{folder.rstrip('/')}//"))
        yield from sorted(replace(_entry(info), problem=self._problem(info)) for info in inside)

    def _problem(self, info: Any) -> str:
        """Returns why something in a folder that is no folder cannot be read; empty where nothing is known."""
        from pyarrow import fs

        address = self.address_of(info.path)
        if info.type == fs.FileType.NotFound:
            return f"'{address}' is a link to '{Path(info.path).readlink()}', which is not there."
        if not info.is_file:
            return f"'{address}' is a pipe, a device or a socket, and no file."
        if not self.is_local and "//" in info.path:
            return f"'{address}' has an empty name between two slashes, with which it cannot be read. Rename it."
        return ""

    def _subfolder(
        self, info: Any, jobs: MutableSequence[str] | None, locked: MutableSequence[Entry] | None
    ) -> Iterator[Entry]:
        try:
            found = self._found(info.path, deep=True)
        except LockedError:
            if locked is None:
                raise
            locked.append(Entry(str(info.path), 0, int(info.mtime_ns or 0)))
            return
        if jobs is not None and any(each.base_name in {JOB_FOLDER, PARTS_MANIFEST} for each in found):
            jobs.append(str(info.path))
            return
        yield from self._files(info.path, found, deep=True, jobs=jobs, locked=locked)

    def glob(
        self, *, jobs: MutableSequence[str] | None = None, locked: MutableSequence[Entry] | None = None
    ) -> Iterator[Entry]:
        """Yields the files that the place's wildcards match: `*` and `?` inside a name, `**` across folders.

        Signs in the names of folders above, which are there, are no wildcards. Arguments and errors as for `list`.
        """
        parts = PurePosixPath(self.path).parts
        fixed = self._fixed()
        wanted = _matching(self.path, fixed)
        deep = "**" in self.path or len(parts) > len(fixed) + 1
        left, closed = list[str](), list[Entry]()
        found = self.list(str(PurePosixPath(*fixed)), deep=deep, jobs=None if jobs is None else left, locked=closed)
        yield from (entry for entry in found if wanted.fullmatch(entry.path))
        if jobs is not None:
            jobs.extend(folder for folder in left if self._may_hold(folder, fixed))
        if asked_for := [entry for entry in closed if self._may_hold(entry.path, fixed)]:
            if locked is None:
                raise LockedError(asked_for[0].path)
            locked.extend(asked_for)

    def _fixed(self) -> Sequence[str]:
        """Returns the first parts of the place's pattern: those without wildcards, or that are the names of folders."""
        fixed = list[str]()
        for part in PurePosixPath(self.path).parts:
            if has_wildcard(part) and not self.is_folder(str(PurePosixPath(*fixed, part))):
                break
            fixed.append(part)
        return fixed

    def _may_hold(self, folder: str, fixed: Sequence[str]) -> bool:
        """Whether something in a folder may match the place's pattern, of which the first parts are literal."""
        asked, above = (PurePosixPath(path).parts for path in (self.path, folder))
        plain = itertools.takewhile(lambda part: "**" not in part, asked[len(fixed) : len(above)])
        first = PurePosixPath(*fixed, *plain)
        return _matching(str(first), fixed).fullmatch(str(PurePosixPath(*above[: len(first.parts)]))) is not None

    def open(self, entry: Entry, ranges: Sequence[tuple[int, int]] | None = None) -> Ranges:
        """Opens a file, or ranges of its bytes one after the other.

        Raises:
            TableError: It has a problem.
            ChangedError: The file is another one than `entry` says.
            LockedError: It is on this machine, and this user may not read it.
            StorageError: The storage does not answer.
        """
        if entry.problem:
            raise TableError(entry.problem)
        found = self.entry(entry.path)
        if found != entry:
            what = "is gone" if found is None else "changed"
            raise ChangedError(
                f"'{self.address_of(entry.path)}' {what} since the input was planned. Put it back, or score into "
                "another folder."
            )
        return self._opened(entry, ranges)

    def _opened(self, entry: Entry, ranges: Sequence[tuple[int, int]] | None = None) -> Ranges:
        file = self._asked(lambda: self._fs.open_input_file(entry.path), entry.path)
        return Ranges(file, entry.path, ranges or [(0, entry.size)])

    def _asked(self, request: Callable[[], Any], path: str) -> Any:
        """Returns what a request for reading returns; see `retried`.

        Raises:
            LockedError: It is about this machine, and this user may not read it: no storage that fails.
        """

        def ask() -> Any:
            try:
                return request()
            except PermissionError:
                if self.is_local:
                    raise LockedError(path) from None
                raise

        return retried(ask, path)

    def read(self, name: str) -> BinaryIO | None:
        """Opens a file under the place for reading, as it is now; None where there is none."""
        entry = self.entry(self.join(name))
        return None if entry is None else io.BufferedReader(self._opened(entry), BUFFER)

    @contextmanager
    def scratch(self) -> Iterator[Path]:
        """Gives a new folder for files that `put` takes: on the same disk where the place is local."""
        above = Path(self.join(UNFINISHED)) if self.is_local else None
        try:
            if above is not None:
                above.mkdir(parents=True, exist_ok=True)
            folder = Path(tempfile.mkdtemp(prefix="crossguard-", dir=above))
        except OSError as error:
            raise self._refused(str(above or tempfile.gettempdir()), error) from None
        try:
            yield folder
        except (FileNotFoundError, OutputError) as error:
            if isinstance(error, OutputError) and folder.is_dir():
                raise
            raise StorageError(f"'{folder}' is gone: {error}") from None  # another run tidied up
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def image(self, path: str) -> bytes:
        """Returns the bytes of an image.

        Raises:
            ImageError: There is none, or it is too large.
            StorageError: The storage does not answer.
        """
        entry, most = self.entry(path), ImageLimits().max_bytes
        if entry is None:
            raise ImageError("image_not_found", f"No such image: '{self.address_of(path)}'.")
        if entry.size > most:
            raise ImageError(
                "image_too_large", f"'{self.address_of(path)}' has {entry.size:,} bytes; an image may have {most:,}."
            )
        with self._opened(entry) as file:
            return file.readall()

    def put(self, name: str, file: Path) -> None:
        """Moves a file of this machine under the place: at once, so that nobody sees a part of it.

        Raises:
            OutputError: The storage is full, or refuses.
            StorageError: It does not answer.
        """
        target = self.join(name)
        if self.is_local:
            try:
                Path(target).parent.mkdir(parents=True, exist_ok=True)
                with file.open("r+b") as written:  # Windows synchronises nothing that is open for reading alone
                    os.fsync(written.fileno())
                file.replace(target)
            except OSError as error:
                raise self._refused(target, error) from None
            return
        retried(lambda: self._upload(file, target), target)

    def delete(self, name: str) -> None:
        """Removes a file under the place, if it is there.

        Raises:
            StorageError: The storage does not answer.
        """
        if self.entry(self.join(name)) is not None:
            retried(lambda: self._fs.delete_file(self.join(name)), name)

    def _upload(self, file: Path, target: str) -> None:
        atomic = self._fs.type_name.startswith(_ATOMIC)
        place = target if atomic else f"{target}.{secrets.token_hex(8)}.unfinished"
        if not atomic:
            self._fs.create_dir(str(PurePosixPath(target).parent))
        with file.open("rb") as source, self._fs.open_output_stream(place) as sink:
            shutil.copyfileobj(source, sink, _CHUNK)
        if self._fs.get_file_info(place).size != file.stat().st_size:
            raise OSError(f"'{place}' is not what was written")
        if not atomic:
            self._fs.move(place, target)

    def _refused(self, target: str, error: OSError) -> CrossguardError:
        message = f"Cannot write '{self.address_of(target)}': {error.strerror or error}."
        if error.errno in _FULL:
            return OutputError(f"{message} Finished parts are kept; continue with --resume.")
        return StorageError(message)

    def clean(self) -> None:
        """Removes what runs that were killed left unfinished on this machine."""
        if self.is_local:
            shutil.rmtree(self.join(UNFINISHED), ignore_errors=True)


_opened = cache(Storage)


def stored_image(path: Path) -> bytes | None:
    """Returns the bytes of an image in a storage, whose address may have lost a slash as a path; None for others.

    Raises:
        ImageError, StorageError: See `Storage.image`.
    """
    scheme, _, rest = path.as_posix().partition(":/")
    host, _, key = rest.lstrip("/").partition("/")
    if not is_remote(f"{scheme}://{host}"):
        return None
    place = _opened(f"{scheme}://{host}/")
    return place.image(place.join(posixpath.normpath(key)))


def is_remote(address: str) -> bool:
    """Whether an address names a storage other than this machine's files."""
    return _REMOTE.match(address) is not None


def has_wildcard(text: str) -> bool:
    """Whether `glob` would expand it."""
    return "*" in text or "?" in text


def _connected(uri: str, address: str) -> tuple[Any, str]:
    from pyarrow import fs

    try:
        found: tuple[Any, str] = fs.FileSystem.from_uri(uri)
    except ValueError as error:
        raise TableError(f"Cannot understand the address '{address}': {error}.") from None
    except OSError as error:
        if uri.startswith(_WITH_HOST):
            raise ConfigError(
                f"Cannot use '{uri}': {first_line(error)}. It needs Java and Hadoop's client on every machine, which "
                "pip does not bring. Set JAVA_HOME, ARROW_LIBHDFS_DIR to the folder of libhdfs.so (mostly "
                '$HADOOP_HOME/lib/native), and CLASSPATH="$(hadoop classpath --glob)".'
            ) from None
        raise
    return found


def _matching(pattern: str, fixed: Sequence[str]) -> re.Pattern[str]:
    """Returns what matches the paths of a pattern: `*` and `?` inside a name, `**` across folders, none in `fixed`."""
    literal = len(str(PurePosixPath(*fixed))) if fixed else 0
    across = re.escape(pattern[literal:]).replace(r"\*\*/", "(?:.*/)?").replace(r"\*\*", ".*")
    return re.compile(re.escape(pattern[:literal]) + across.replace(r"\*", "[^/]*").replace(r"\?", "[^/]"))


def _entry(info: Any) -> Entry:
    return Entry(str(info.path), int(info.size or 0), int(info.mtime_ns or 0))
