"""Tar archives whose bytes depend on nothing but the files in them."""

from __future__ import annotations

import gzip
import io
import os
import tarfile
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TypeAlias

from crossguard.errors import OutputError

# Where a file of an archive comes from: a file on disk, or its content.
Source: TypeAlias = Path | bytes


def write_tar_gz(path: Path, files: Mapping[str, Source]) -> None:
    """Writes an archive; the same files give the same bytes, whoever packs them, where and when.

    Args:
        path: The archive; replaced as a whole, so a reader never sees half of one.
        files: Content by the name in the archive.

    Raises:
        OutputError: It cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.", delete=False) as part:
            try:
                # An empty name and a fixed time: gzip would store both.
                with (
                    gzip.GzipFile(filename="", mode="wb", fileobj=part, mtime=0) as packed,
                    tarfile.open(mode="w", fileobj=packed, format=tarfile.USTAR_FORMAT) as archive,
                ):
                    for name in sorted(files):
                        _add(archive, name, files[name])
                part.flush()
                # A temporary file is for its owner only; an archive is for whoever may read the folder.
                Path(part.name).chmod(0o644)
                os.replace(part.name, path)  # noqa: PTH105 - the pair of NamedTemporaryFile
            except BaseException:
                Path(part.name).unlink(missing_ok=True)
                raise
    except OSError as error:
        raise OutputError(f"Cannot write {path}: {error.strerror}.") from None


def _add(archive: tarfile.TarFile, name: str, source: Source) -> None:
    entry = tarfile.TarInfo(name)
    entry.mode = 0o644
    if isinstance(source, bytes):
        entry.size = len(source)
        archive.addfile(entry, io.BytesIO(source))
        return
    entry.size = source.stat().st_size
    with source.open("rb") as file:
        archive.addfile(entry, file)
