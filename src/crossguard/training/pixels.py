"""Decoded and resized images on disk, so that every epoch but the first reads bytes."""

from __future__ import annotations

import hashlib
import json
import logging
import os
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from crossguard.bundle import sha256
from crossguard.cache import keep
from crossguard.data.images import decode
from crossguard.data.storage import stored_image
from crossguard.errors import ConfigError, ImageError
from crossguard.preprocessing.image import ImageSpec, to_pixels
from crossguard.training.examples import Examples
from crossguard.training.recipe import Recipe

logger = logging.getLogger(__name__)
SHOWN: Final = 3
NOTES: Final = ".notes.json"
# Of a hash, so many digits tell apart what one file had at two times.
_DIGITS: Final = 16
# What can be mended without a change of the image: a missing package, or permissions.
MENDABLE: Final = frozenset({"image_needs_extra", "image_unreadable"})


@dataclass(frozen=True, slots=True)
class PixelCache:
    """Images by their paths."""

    images: dict[Path, NDArray[np.uint8]]  # (size, size, 3) each, memory-mapped
    failures: dict[Path, str]  # why the others could not be decoded
    contents: dict[Path, str]  # of those that could, the beginning of the sha256 of what was decoded


def build_cache(paths: Sequence[Path], spec: ImageSpec, folder: Path) -> PixelCache:
    """Opens the cache of these images, and fills it first when it is not there, or lacks what can be read by now.

    The name of a cache depends on the images' paths, on sizes and times of those on this machine, and on `spec`.

    Raises:
        OSError: The cache cannot be written, as on a full disk.
    """
    unique = list(dict.fromkeys(paths))
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{_key(unique, spec)}.npy"
    noted = file.with_suffix(NOTES)
    notes: _Notes | None = None
    if file.is_file() and noted.is_file():
        notes = _Notes(*json.loads(noted.read_text(encoding="utf-8")))
    if notes is None or not MENDABLE.isdisjoint(notes.failures.values()):
        notes = _fill(unique, spec, file)
    pixels = np.asarray(np.load(file, mmap_mode="r"))
    return PixelCache(
        {path: pixels[row] for row, path in enumerate(unique) if notes.contents[row]},
        {Path(name): reason for name, reason in notes.failures.items()},
        {path: content for path, content in zip(unique, notes.contents, strict=True) if content},
    )


def cache_sources(examples: Examples, spec: ImageSpec, folder: Path) -> PixelCache:
    """Opens one cache per source, so that what differs between folds of one source does not decode the others again."""
    paths: dict[str, list[Path]] = {}
    for path, source in _named(examples):
        paths.setdefault(source, []).append(path)
    joined = PixelCache({}, {}, {})
    for own in paths.values():
        cache = build_cache(own, spec, folder)
        joined.images.update(cache.images)
        joined.failures.update(cache.failures)
        joined.contents.update(cache.contents)
    return joined


def check_images(recipe: Recipe, parts: Sequence[tuple[Examples, PixelCache]], lost: Mapping[str, int]) -> None:
    """Refuses to train when too many images are missing, and tells of fewer: these posts are trained on as texts.

    Those that were lost while a source's table was prepared count.

    Raises:
        ConfigError: Too large a fraction of the images of one source could not be read.
    """
    chunks = (chunk for examples, _ in parts for chunk in examples.chunks())
    for source in dict.fromkeys(name for chunk in chunks for name in chunk.sources):
        wanted = count = lost.get(source, 0)
        failures = [f"{count} when the table was prepared"] if count else []
        for examples, cache in parts:
            paths = [path for path, name in _named(examples) if name == source]
            failed = [path for path in paths if path in cache.failures]
            wanted, count = wanted + len(paths), count + len(failed)
            failures += [f"{path} ({cache.failures[path]})" for path in failed]
        own = recipe.sources[source].max_missing_images if source in recipe.sources else None
        limit = recipe.max_missing_images if own is None else own
        told, first = f"{count:,} of {wanted:,} images of '{source}' cannot be read", "; ".join(failures[:SHOWN])
        if count > limit * wanted:
            raise ConfigError(
                f"{told}, and at most {limit:.0%} may be missing: {first}. "
                "Fix the paths and run `crossguard prepare` again, or allow it with: "
                f"--set {f'sources.{source}.' if source in recipe.sources else ''}max_missing_images=1"
            )
        if count:
            logger.warning("%s; such posts keep their text: %s", told, first)


def _named(examples: Examples) -> Iterator[tuple[Path, str]]:
    """Yields each image with the source of its post."""
    for chunk in examples.chunks():
        for path, source in zip(chunk.images, chunk.sources, strict=True):
            if path is not None:
                yield path, source


class _Notes(NamedTuple):
    """What is kept beside the pixels of n images."""

    failures: dict[str, str]  # why an image could not be decoded, by its path
    contents: list[str]  # (n,), as in `PixelCache`, empty for those


def _fill(paths: Sequence[Path], spec: ImageSpec, file: Path) -> _Notes:
    """Writes beside the file's name first, so that a killed run leaves no half cache."""
    # Two processes of one run may come here together; each writes its own, and the last to finish wins.
    draft = file.with_suffix(f".{os.getpid()}.draft")
    try:
        notes = _decode_all(paths, spec, draft)
        keep(file.with_suffix(NOTES), json.dumps(notes).encode())
        draft.replace(file)
    finally:
        draft.unlink(missing_ok=True)
    return notes


def _decode_all(paths: Sequence[Path], spec: ImageSpec, draft: Path) -> _Notes:
    shape = (len(paths), spec.size, spec.size, 3)
    pixels = np.lib.format.open_memmap(draft, mode="w+", dtype=np.uint8, shape=shape)
    _reserve(draft)
    failures: dict[str, str] = {}

    def store(row: int) -> str:
        try:
            source = stored_image(paths[row]) or paths[row]
            pixels[row] = to_pixels(decode(source, size_hint=spec.size, frames=1)[0], spec)
        except ImageError as error:
            failures[str(paths[row])] = error.code
            return ""
        # Takes a twentieth of the time that decoding took, as the file is still in memory.
        content = sha256(source) if isinstance(source, Path) else hashlib.sha256(source).hexdigest()
        return content[:_DIGITS]

    with ThreadPoolExecutor() as pool:
        contents = list(pool.map(store, range(len(paths))))
    pixels.flush()
    return _Notes(failures, contents)


def _reserve(file: Path) -> None:
    """Takes the room of a mapped file: where a disk is full, writing to the map would kill the process instead."""
    if hasattr(os, "posix_fallocate"):
        with file.open("r+b") as opened:
            os.posix_fallocate(opened.fileno(), 0, file.stat().st_size)


def _key(paths: Sequence[Path], spec: ImageSpec) -> str:
    digest = hashlib.sha256(spec.model_dump_json().encode())
    for path in paths:
        try:
            status = path.stat()
            digest.update(f"{path}\t{status.st_size}\t{status.st_mtime_ns}\n".encode())
        except OSError:  # missing, or in a storage, where each would take a request: its address alone counts
            digest.update(f"{path}\n".encode())
    return digest.hexdigest()[:24]
