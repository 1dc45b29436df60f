"""Posts from a folder of images."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from crossguard.data.formats import kind_of
from crossguard.data.image_formats import SUFFIXES
from crossguard.errors import TableError, number_of
from crossguard.records import Post

# A table of one of these kinds says which image a text belongs to.
_WITH_COLUMNS: Final = frozenset({"arrow", "csv", "jsonl", "parquet", "xlsx"})


class FolderPosts:
    """The images of a folder and its subfolders, in the order of their names; each is a post named by its path.

    Hidden files and folders, and links to folders, are left out; where images are confined, all links are.

    Attributes:
        left_out: How many files were not read, as their suffix is not that of an image.
        table: One of them that may hold the words of the images, if there is any.
        linked: How many links to folders were not followed.
    """

    def __init__(self, folder: Path, *, confined: bool = False) -> None:
        self._folder = folder
        self._confined = confined
        self.left_out = self.linked = 0
        self.table: Path | None = None

    def __iter__(self) -> Iterator[Post]:
        """Yields the posts.

        Raises:
            TableError: A folder cannot be read, or there is no image in it.
        """
        self.left_out = self.linked = 0
        self.table = None
        found = False
        for path in self._walk(self._folder):
            found = True
            name = path.relative_to(self._folder).as_posix()
            yield Post(name.encode("utf-8", "surrogateescape").decode("utf-8", "replace"), image=path)
        if not found:
            others = number_of(self.left_out, "other file")
            told = [f"No images in the folder '{self._folder}' ({others}).", *self._links()]
            raise TableError(f"{' '.join(told)} For tables: -o FOLDER/")

    @property
    def warnings(self) -> list[str]:
        """What was not read, one sentence each."""
        return [*self._others(), *self._words(), *self._links()]

    def _others(self) -> list[str]:
        if not self.left_out:
            return []
        told = "was left out: its name is" if self.left_out == 1 else "were left out: their names are"
        return [f"{number_of(self.left_out, 'file')} {told} not an image's."]

    def _words(self) -> list[str]:
        if self.table is None:
            return []
        # As Hugging Face stores folders of images: https://huggingface.co/docs/datasets/image_dataset
        column = " --image-path-column file_name" if _is_metadata(self.table.name) else ""
        command = f"crossguard score {shlex.quote(str(self.table))}{column}"
        return [f"'{self.table}' may hold the words of these images, scored without them. To score both: {command}"]

    def _links(self) -> list[str]:
        if not self.linked:
            return []
        told = "was not followed: score it by its" if self.linked == 1 else "were not followed: score them by their"
        return [f"{number_of(self.linked, 'linked folder')} {told} own path."]

    def _walk(self, folder: Path) -> Iterator[Path]:
        try:
            with os.scandir(folder) as scan:
                entries = sorted(scan, key=lambda entry: entry.name)
        except OSError as error:
            raise TableError(f"Cannot read the folder '{folder}': {error.strerror}.") from None
        for entry in entries:
            if entry.name.startswith(".") or (self._confined and entry.is_symlink()):
                continue
            if entry.is_dir(follow_symlinks=False):
                yield from self._walk(Path(entry.path))
            elif os.path.isdir(entry.path):  # noqa: PTH112 - pathlib raises where a link leads to what may not be read
                self.linked += 1
            elif Path(entry.name).suffix.lower() in SUFFIXES:
                yield Path(entry.path)
            else:
                self.left_out += 1
                if kind_of(entry.name) in _WITH_COLUMNS and (self.table is None or _is_metadata(entry.name)):
                    self.table = Path(entry.path)


def _is_metadata(name: str) -> bool:
    return name.startswith("metadata.")
