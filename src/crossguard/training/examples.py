"""Annotated posts as arrays, to train and to measure on."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from crossguard.bundle import sha256
from crossguard.cache import cache_folder
from crossguard.data.datasets.alike import Hashes, hash_of_file
from crossguard.data.datasets.rows import letters
from crossguard.errors import ImageError
from crossguard.training.targets import Floats

if TYPE_CHECKING:
    import pyarrow as pa

# Posts whose words are lists for a moment.
CHUNK: Final = 2048
# Windows opens no temporary file by its name a second time.
MAPPED: Final = sys.platform != "win32"
COLUMNS: Final = ("id", "text", "image_text", "image", "source")


@dataclass(frozen=True, slots=True, eq=False)
class Examples:
    """n annotated posts."""

    # Arrow table of n rows with `id`, `text`, `image_text`, `image` (a file, or empty) and `source` (the name of its
    # table). `gather` maps it from a file, and processes that load batches share it.
    posts: pa.Table
    targets: Floats  # float32 (n, outputs) in [0, 1], NaN where unknown
    unions: Floats  # float32 (n, label_schemes), whether a post carries any label; NaN where unknown
    weights: Floats  # float32 (n, outputs), what the loss of a post counts
    repeats: Floats  # float32 (n,), how often an epoch draws a post

    def __len__(self) -> int:
        return int(self.posts.num_rows)

    @property
    def arrays(self) -> tuple[Floats, Floats, Floats, Floats]:
        """What is known of the posts, in the order of the fields."""
        return self.targets, self.unions, self.weights, self.repeats

    @property
    def ids(self) -> list[str]:
        """Names of the posts."""
        return self._column("id")

    @property
    def sources(self) -> list[str]:
        """Name of the table of each post."""
        return self._column("source")

    @property
    def words(self) -> list[tuple[str, str]]:
        """What authors wrote, and the words read from their images."""
        return list(zip(self._column("text"), self._column("image_text"), strict=True))

    @property
    def images(self) -> list[Path | None]:
        """Files of the images; None where there is none."""
        return [Path(name) if name else None for name in self._column("image")]

    @property
    def absent(self) -> list[str]:
        """Which of `text` and `image` no post has."""
        import pyarrow.compute as pc

        columns = {"text": ("text", "image_text"), "image": ("image",)}
        longest = {name: pc.max(pc.binary_length(self.posts[name])).as_py() for name in COLUMNS}
        return [kind for kind, names in columns.items() if not any(longest[name] for name in names)]

    def words_of(self, row: int) -> tuple[str, str]:
        """Returns one entry of `words`."""
        return self.posts["text"][row].as_py(), self.posts["image_text"][row].as_py()

    def image_of(self, row: int) -> Path | None:
        """Returns one entry of `images`."""
        name = self.posts["image"][row].as_py()
        return Path(name) if name else None

    def fingerprint(self, contents: Mapping[Path, str]) -> str:
        """Returns a hash of the posts, their order and their targets.

        Images count by the names of their files, in whatever folder or storage, and by `contents`: hashes of the files
        of those that can be read.
        """
        digest = hashlib.sha256()
        for chunk in self.chunks():
            names = (f"{image.name}\x1f{contents.get(image, '')}" if image else "" for image in chunk.images)
            for id_, words, name, source in zip(chunk.ids, chunk.words, names, chunk.sources, strict=True):
                digest.update("\x1f".join((id_, *words, name, source)).encode() + b"\x1e")
        for values in self.arrays:
            digest.update(np.ascontiguousarray(values).tobytes())
        return digest.hexdigest()

    def take(self, rows: Sequence[int] | NDArray[np.int64]) -> Examples:
        """Returns these posts."""
        index = np.asarray(rows, dtype=np.int64)
        return Examples(self.posts.take(index), *(values[index] for values in self.arrays))

    def chunks(self) -> Iterator[Examples]:
        """Yields all posts, so many at a time that lists of their words are small; once, where there are none."""
        for start in range(0, max(1, len(self)), CHUNK):
            part = (values[start : start + CHUNK] for values in self.arrays)
            yield Examples(self.posts.slice(start, CHUNK), *part)

    def _column(self, name: str) -> list[str]:
        values: list[str] = self.posts[name].to_pylist()
        return values


def gather(parts: Iterable[Examples]) -> Examples:
    """Returns the posts of all parts, one after the other; at least one. Words are mapped from a file of the cache."""
    import pyarrow as pa

    folder = cache_folder() / "tables"
    folder.mkdir(parents=True, exist_ok=True)
    arrays = []
    with NamedTemporaryFile(dir=folder, suffix=".arrow") as file:
        with pa.ipc.new_file(file, pa.schema([(name, pa.string()) for name in COLUMNS])) as sink:
            for part in parts:
                sink.write_table(part.posts.combine_chunks())
                arrays.append(part.arrays)
        file.flush()
        file.seek(0)
        # The file has no name after this, and goes when nothing maps it any more.
        source = pa.memory_map(file.name) if MAPPED else pa.BufferReader(file.read())
        posts = pa.ipc.open_file(source).read_all()
    return Examples(posts, *map(np.concatenate, zip(*arrays, strict=True)))


class HeldOut:
    """Posts to measure on, so that their copies are not trained on.

    Attributes:
        copies: How many posts were left out.
    """

    def __init__(self, measured: Examples) -> None:
        self.copies = 0
        self._images: dict[_Shared, set[Path | None]] = {}
        self._pictures: dict[_Shared, _Pictures] = {}
        for chunk in measured.chunks():
            for words, image in zip(chunk.words, chunk.images, strict=True):
                if key := _shared(words, image):
                    self._images.setdefault(key, set()).add(image)

    def without_copies(self, examples: Examples) -> Examples:
        """Returns the posts that are not held out, whatever the table they come from.

        Those with the words of a held-out post go, unless both have an image, and not one that looks the same: memes
        share captions, and are resized and compressed anew. Without words, those with the file of its image do.
        """
        posts = zip(examples.words, examples.images, strict=True)
        rows = [row for row, (words, image) in enumerate(posts) if not self._has(_shared(words, image), image)]
        self.copies += len(examples) - len(rows)
        return examples.take(rows)

    def _has(self, key: _Shared | None, image: Path | None) -> bool:
        images = self._images.get(key) if key else None
        if key is None or not images:
            return False
        if image is None or None in images:
            return True
        if key not in self._pictures:
            self._pictures[key] = _Pictures((other for other in images if other is not None), files=not key.words)
        return image in self._pictures[key]


class _Pictures:
    """Images of held-out posts that share their words, to find copies of one; only such images are decoded.

    Those that cannot be decoded, and with `files` all of them, are compared by `image_hash`.
    """

    def __init__(self, images: Iterable[Path], *, files: bool) -> None:
        self._files = files
        self._names: set[str] = set()
        self._hashes = Hashes()
        for value in {self._look(image) for image in images}:
            if isinstance(value, str):
                self._names.add(value)
            else:
                self._hashes.add(value)

    def __contains__(self, image: Path) -> bool:
        value = self._look(image)
        return value in self._names if isinstance(value, str) else bool(self._hashes.near(value))

    def _look(self, image: Path) -> int | str:
        if self._files or not image.is_file():
            return image_hash(image)
        try:
            return hash_of_file(image)
        except ImageError:
            return image_hash(image)


class _Shared(NamedTuple):
    """What copies of a post share."""

    words: str  # its letters; empty where there are none
    other: str = ""  # of posts without letters


def _shared(words: tuple[str, str], image: Path | None) -> _Shared | None:
    """Returns what copies share: their letters; else the size of their image; else their signs or links, if any.

    Of an image that is not on this machine, it is the address: names such as `1.jpg` are in every folder.
    """
    if known := letters(*words):
        return _Shared(known)
    if image is None:
        return _Shared("", signs) if (signs := _signs(words)) else None
    try:
        # So few images are of one size that hardly any is read for its hash.
        return _Shared("", f"image of size {image.stat().st_size}")
    except OSError:
        return _Shared("", f"image {image}")


def _signs(words: tuple[str, str]) -> str:
    return " ".join(words).strip()


def image_hash(image: Path) -> str:
    """Returns what copies of an image share: a hash of its file; its name where no file is on this machine."""
    try:
        return sha256(image)
    except OSError:
        return image.name


def folds(examples: Examples, count: int) -> NDArray[np.int64]:
    """Returns a fold per post, (n,), that depends on its letters, so that copies stay together.

    Where there are none, it depends on the image, on the signs or links of the text, or on the id.
    """
    posts = zip(examples.ids, examples.words, examples.images, strict=True)
    keys = (letters(*words) or (image_hash(image) if image else _signs(words) or id_) for id_, words, image in posts)
    hashes = (hashlib.sha256(key.encode()).hexdigest() for key in keys)
    return np.array([int(value[:12], 16) % count for value in hashes], dtype=np.int64)
