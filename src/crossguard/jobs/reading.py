"""The posts of one unit, in order: one for every row, also where the file is damaged."""

from __future__ import annotations

import gzip
import itertools
import posixpath
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import Final

from crossguard.data.ahead import in_order
from crossguard.data.image_sources import is_url
from crossguard.data.post_builder import PostBuilder
from crossguard.data.ranges import Ranges
from crossguard.data.storage import Storage, is_remote
from crossguard.data.stored_posts import read_table
from crossguard.errors import ChangedError, PostError, TableError, as_sentence, first_line
from crossguard.jobs.spec import JobSpec
from crossguard.jobs.units import Unit
from crossguard.records import Post, PostFailure

_IMAGES_AT_ONCE: Final = 16


@dataclass(slots=True)
class UnitReader:
    """Reads the units of a job."""

    spec: JobSpec
    _storages: dict[str, Storage] = field(default_factory=dict, init=False)
    _file: Ranges | None = field(default=None, init=False)
    _builder: PostBuilder | None = field(default=None, init=False)

    @property
    def notes(self) -> list[str]:
        """What a person should know about the columns of the last unit, one sentence each."""
        return [] if self._builder is None else self._builder.notes + self._builder.words

    @property
    def consumed(self) -> int:
        """Bytes that were read of the last unit's file, those in buffers included."""
        return 0 if self._file is None else self._file.tell()

    def posts(self, unit: Unit) -> Iterator[Post]:
        """Yields the posts of a unit; of rows that are damaged, failed ones."""
        storage = self._storage(self.spec.inputs[unit.input])
        path, of_table = unit.entry.path, unit.kind != "images"
        folder = str(PurePosixPath(path).parent) if of_table else path
        given = self.spec.image_root if of_table else None
        root = given or storage.address_of(folder)
        if not is_remote(root):
            return self._complete(unit, storage, Path(root))
        images = storage.at(folder) if given is None else self._storage(root)
        return in_order(lambda post: _with_image(post, images), self._complete(unit, storage, Path()), _IMAGES_AT_ONCE)

    def _storage(self, address: str) -> Storage:
        if address not in self._storages:
            self._storages[address] = Storage(address)
        return self._storages[address]

    def _complete(self, unit: Unit, storage: Storage, root: Path) -> Iterator[Post]:
        """Yields the posts, and a failed one for each that is lost."""
        where = f"'{storage.address_of(unit.entry.path)}'"
        count = 0
        try:
            for post in self._read(unit, storage, root, where):
                count += 1
                yield post
        except ChangedError:
            raise
        except (TableError, EOFError, gzip.BadGzipFile, zlib.error, OSError) as error:
            message = first_line(error)
            if unit.rows is None and not count:
                told = message if where in message else f"{where} cannot be read: {as_sentence(error)}"
                yield Post.failed(storage.address_of(unit.entry.path), "file_unreadable", told)
                return
            if unit.rows is None:
                lost = f"{as_sentence(error)} All posts behind the first {count:,} are lost."
                yield Post.failed(f"{PurePosixPath(unit.entry.path).name}#rest", "rows_unreadable", lost)
                return
            name = "row" if unit.kind in {"parquet", "arrow"} else "line"
            for place in range(unit.first + count, unit.first + unit.rows):
                yield Post.failed(f"{name}-{place}", "rows_unreadable", f"{name} {place} of {where}: {message}")

    def _read(self, unit: Unit, storage: Storage, root: Path, where: str) -> Iterator[Post]:
        self._builder = None
        if unit.kind == "unreadable":
            yield Post.failed(storage.address_of(unit.entry.path), "file_unreadable", unit.problem)
            return
        if unit.kind == "images":
            yield from (Post(name, image=str(root / name)) for name in unit.names)
            return
        confined = self.spec.confine_images and root != Path()
        self._builder = builder = PostBuilder(self.spec.columns, root, extra=self.spec.keep, confined=confined)
        with storage.open(unit.entry, unit.ranges) as self._file:
            file = self._file
            how = (file, unit.entry, unit.kind, builder, where)
            posts = read_table(*how, first=unit.first, groups=unit.groups, skip=unit.skip)
            yield from itertools.islice(posts, unit.rows)


def _with_image(post: Post, images: Storage) -> Post:
    """Returns the post with the bytes of its image from a folder of a storage; a failed one where there is none."""
    if not isinstance(post.image, str) or is_url(post.image):
        return post
    try:
        return replace(post, image=_image(images, post.image))
    except PostError as error:
        return replace(post, image=None, error=PostFailure.of(error))


def _image(images: Storage, name: str) -> bytes:
    path = PurePosixPath(posixpath.normpath(name))
    if path.is_absolute() or ".." in path.parts:
        raise PostError("image_outside_root", f"'{name}' lies outside the folder of the images in the storage.")
    return images.image(images.join(str(path)))
