"""Files that are written at once: text and JSON with one error where they cannot be written; others whole or not."""

from __future__ import annotations

import json
import os
import stat
import tempfile
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from crossguard.errors import OutputError, first_line


def refuse_existing(path: Path, *, overwrite: bool, inputs: Iterable[str | Path | None] = ()) -> None:
    """Checks that a file may be written: nothing is replaced that nobody said to replace, nor what is read.

    Raises:
        OutputError: It exists, or is one of the inputs.
    """
    if is_one_file(path, filter(None, inputs)):
        raise OutputError(f"The output '{path}' is an input itself. Choose another name.")
    if path.exists() and not overwrite:
        raise OutputError(f"'{path}' already exists. Replace it with --overwrite, or choose another name.")


def is_one_file(file: Path | int, others: Iterable[str | Path | int]) -> bool:
    """Whether a regular file is among others, also through links; each is a path, or a descriptor."""
    own = _identity(file)
    return own is not None and own in map(_identity, others)


def _identity(file: str | Path | int) -> tuple[int, int] | None:
    """Returns what two names of one regular file share."""
    try:
        status = os.stat(file)  # noqa: PTH116 - of descriptors, too
    except OSError:
        return None
    return (status.st_dev, status.st_ino) if stat.S_ISREG(status.st_mode) else None


@contextmanager
def telling_of(path: Path) -> Iterator[None]:
    """Names the file in the error of a block that cannot write it.

    Raises:
        OutputError: In the place of an OSError.
    """
    try:
        yield
    except OSError as error:
        # pyarrow has long reasons of its own, and others a text in place of the number.
        known = os.strerror(error.errno) if error.errno and isinstance(error.errno, int) else ""
        reason = known or first_line(error)
        raise OutputError(f"Cannot write '{path}': {reason}.") from None


def check_folder_takes(path: Path) -> None:
    """Checks that a file can be written, before hours of work for it; makes its folder where there is none.

    Raises:
        OutputError: It cannot.
    """
    with telling_of(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=path.parent).close()


def save_text(path: Path, text: str) -> None:
    """Writes a file, and its folder where there is none.

    Raises:
        OutputError: It cannot be written.
    """
    with telling_of(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        # Half characters, as in names of files that are not UTF-8, stand as escapes, which JSON reads back.
        path.write_text(text, encoding="utf-8", errors="backslashreplace")


def save_json(path: Path, value: Any, *, allow_nan: bool = True) -> None:
    """Writes a value indented, as a person would read it; raises as `save_text`."""
    save_text(path, json.dumps(value, indent=2, ensure_ascii=False, allow_nan=allow_nan) + "\n")


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Yields where to write a file that appears under its name only when the block ends without an error.

    Where the name is a link, the file behind it is replaced, as if it was written to.

    Raises:
        OutputError: It cannot take the name, such as that of a folder.
    """
    path = Path(os.path.realpath(path))
    unfinished = path.with_name(f".{path.name}.unfinished")
    try:
        yield unfinished
        with telling_of(path):
            unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)


@contextmanager
def whole_folder(out: Path, last: str, *, replaced: Sequence[str] = (), kept: Collection[str] = ()) -> Iterator[Path]:
    """Yields a new folder; its files move to `out` when the block ends without an error.

    Of what was in `out`, files that are `replaced` go also where there is no new one, and those that are `kept` stay.

    Raises:
        OutputError: The folder above it cannot be made.
    """
    out = out.resolve()
    with telling_of(out):
        out.parent.mkdir(parents=True, exist_ok=True)
    # Within a folder that is there: it may be a disk of its own, as a volume is, which no file can be moved to.
    with tempfile.TemporaryDirectory(prefix=f".{out.name}-", dir=out if out.is_dir() else out.parent) as scratch:
        draft = Path(scratch) / "folder"
        draft.mkdir()
        yield draft
        if not out.exists():
            draft.rename(out)
            return
        for name in (last, *replaced):
            (out / name).unlink(missing_ok=True)
        for path in sorted((path for path in draft.rglob("*") if path.is_file()), key=lambda path: path.name == last):
            inside = path.relative_to(draft)
            target = out / inside
            if inside.as_posix() in kept and target.is_file():
                continue
            target.parent.mkdir(parents=True, exist_ok=True)
            path.replace(target)
