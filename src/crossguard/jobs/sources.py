"""The input of a job: files, folders and patterns as the files that they name."""

from __future__ import annotations

import hashlib
import itertools
import json
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import PurePosixPath
from typing import Final, Literal, TypeAlias

from crossguard.data.formats import KINDS, TableKind
from crossguard.data.image_formats import SUFFIXES
from crossguard.data.storage import Entry, Storage
from crossguard.data.stored_posts import LeftOut, table_files
from crossguard.errors import TableError, suggest
from crossguard.jobs.units import Kind

InputFormat: TypeAlias = Literal[TableKind, "folder"]
"""How all files of an input are read: as tables of this kind, or the images of its folders."""
# About a minute of one core with images, and some megabytes of results.
UNIT_POSTS: Final = 10_000


@dataclass(frozen=True, slots=True)
class InputFile:
    """A file of the input, or some images of a folder."""

    input: int  # which of the inputs it comes from
    storage: Storage  # where it is
    entry: Entry  # the file; for images a folder with the sum of their sizes and a fingerprint
    kind: Kind  # how it is read
    names: tuple[str, ...] = ()  # images, below the folder


def sources_of(
    inputs: Sequence[str],
    output: Storage | None = None,
    *,
    unit_posts: int = UNIT_POSTS,
    known: InputFormat | None = None,
    left_out: LeftOut | None = None,
) -> Iterator[InputFile]:
    """Lists the input, in the order of the inputs and of the names in them; no file is opened.

    Of a folder the tables are read, or its images, so many at a time, where it has no table. What lies in the output
    folder, or in that of another job, is no input. `known` is the format of all files; by their names when None.
    `left_out` gets what is not read.
    """
    seen: set[int] | None = set() if len(inputs) > 1 else None
    for place, address in enumerate(inputs):
        storage = Storage(address)
        own = _lies_in(output, storage) if output is not None else lambda _: False
        found = LeftOut()
        tables = iter(()) if known == "folder" else table_files(storage, known, found)
        files = (each for each in tables if not own(_folder_of(each[0])))
        first = next(files, None)
        if known == "folder" or (first is None and storage.is_folder(storage.path)):
            found = LeftOut(found.others, found.jobs)
            yield from _images(storage, place, unit_posts, own, seen, locked=found.locked)
        for entry, kind in itertools.chain([first] if first else [], files):
            if _is_new(storage.address_of(entry.path), seen):
                yield InputFile(place, storage, entry, kind)
        for entry in found.locked:
            if _is_new(storage.address_of(entry.path), seen):
                yield InputFile(place, storage, entry, "unreadable")
        if left_out is not None:
            left_out.suffixes.update(found.suffixes)
            jobs = (storage.address_of(folder) for folder in found.jobs if not own(folder))
            left_out.jobs += [folder for folder in jobs if folder not in left_out.jobs]


def digest_of(lines: Iterable[bytes]) -> str:
    """Returns the fingerprint of a plan."""
    found = hashlib.blake2b(digest_size=8)
    for line in lines:
        found.update(line)
    return found.hexdigest()


def _is_new(address: str, seen: set[int] | None) -> bool:
    """Whether a file was not met before: inputs may overlap."""
    if seen is None:
        return True
    before = len(seen)
    seen.add(hash(address))
    return len(seen) > before


def _folder_of(entry: Entry) -> str:
    return entry.path.rpartition("/")[0]


def _lies_in(output: Storage, storage: Storage) -> Callable[[str], bool]:
    """Returns what says of folders of a storage whether they lie in the output folder, also by way of links."""

    def real(place: Storage, path: str) -> str:
        return os.path.realpath(path) if place.is_local else place.address_of(path)

    above = real(output, output.path).rstrip("/") + "/"

    @lru_cache(maxsize=1)  # files come folder by folder
    def within(folder: str) -> bool:
        return (real(storage, folder) + "/").startswith(above)

    return within


def _named(entries: Iterable[Entry], unnamed: list[Entry]) -> Iterator[Entry]:
    """Yields the images of a storage whose key can be read; the others go into a list."""
    for entry in entries:
        if entry.problem:
            unnamed.append(entry)
        else:
            yield entry


def _images(
    storage: Storage,
    place: int,
    unit_posts: int,
    own: Callable[[str], bool],
    seen: set[int] | None,
    *,
    locked: list[Entry],
) -> Iterator[InputFile]:
    """Yields the images of a folder that were not met before, so many at a time; `locked` gets what cannot be read."""
    if not storage.is_folder(storage.path):
        raise TableError(f"'{storage.address}' is no folder, and --input-format folder reads the images in folders.")
    found = (
        entry
        for entry in storage.list(storage.path, deep=True, locked=locked)
        if PurePosixPath(entry.path).suffix.lower() in SUFFIXES and not own(_folder_of(entry))
    )
    entries = found if storage.is_local else _named(found, locked)
    first = next(entries, None)
    if first is None and locked:
        return
    if first is None:
        raise TableError(f"The folder '{storage.address}' has no images, and no tables to read.{suggest('', KINDS)}")
    new = (entry for entry in itertools.chain([first], entries) if _is_new(storage.address_of(entry.path), seen))
    above = len(storage.path.rstrip("/")) + 1
    while chosen := list(itertools.islice(new, unit_posts)):
        state = digest_of(json.dumps([entry.path, entry.size, entry.changed]).encode() for entry in chosen)
        folder = Entry(storage.path, sum(entry.size for entry in chosen), int(state[:15], 16))
        yield InputFile(place, storage, folder, "images", tuple(entry.path[above:] for entry in chosen))
