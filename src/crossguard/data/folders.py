"""A folder of pictures: each file is a post, named by its path inside the folder."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from crossguard.data.image_formats import SUFFIXES
from crossguard.errors import TableError
from crossguard.records import Post


class FolderPosts:
    """The pictures of a folder and its subfolders, in the order of their names.

    Hidden files and folders, and links to folders, are left out.

    Attributes:
        left_out: How many files were not read, as their suffix is not that of a picture.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.left_out = 0

    def __iter__(self) -> Iterator[Post]:
        """Yields the posts.

        Raises:
            TableError: A folder cannot be read, or there is no picture in it.
        """
        self.left_out = 0
        found = False
        for path in self._walk(self._folder):
            found = True
            name = path.relative_to(self._folder).as_posix()
            yield Post(name.encode("utf-8", "surrogateescape").decode("utf-8", "replace"), image=path)
        if not found:
            raise TableError(f"No pictures in the folder '{self._folder}' ({self.left_out} other files).")

    def _walk(self, folder: Path) -> Iterator[Path]:
        try:
            with os.scandir(folder) as scan:
                entries = sorted(scan, key=lambda entry: entry.name)
        except OSError as error:
            raise TableError(f"Cannot read the folder '{folder}': {error.strerror}.") from None
        for entry in entries:
            if entry.name.startswith("."):
                continue
            if entry.is_dir(follow_symlinks=False):
                yield from self._walk(Path(entry.path))
            elif Path(entry.name).suffix.lower() in SUFFIXES:
                yield Path(entry.path)
            else:
                self.left_out += 1
