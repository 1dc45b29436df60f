"""Where files are kept that can be made again: decoded images, features, words of images, converted checkpoints."""

from __future__ import annotations

import os
import threading
from contextlib import suppress
from pathlib import Path

from platformdirs import user_cache_path


def cache_folder() -> Path:
    """Returns `CROSSGUARD_CACHE`, or Crossguard's part of the user's cache folder.

    For a user without a home it is a folder that cannot be there, so that nothing is kept: what others may write, such
    as the folder for temporary files, is no place for graphs that are loaded.
    """
    own = os.environ.get("CROSSGUARD_CACHE")
    try:
        # No shell expands a ~ in a Dockerfile or in the settings of a service.
        return Path(own).expanduser() if own else user_cache_path("crossguard", appauthor=False)
    except RuntimeError:
        return Path(os.devnull, "crossguard")


def keep(place: Path, content: bytes | memoryview) -> None:
    """Writes a cache entry at once or not at all, for this user alone to read and write: it may hold words of images.

    A cache that cannot be written is no reason to stop.
    """
    unfinished = place.with_suffix(f".{os.getpid()}-{threading.get_ident()}")
    try:
        place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with open(unfinished, "wb", opener=lambda path, flags: os.open(path, flags, 0o600)) as file:
            file.write(content)
        unfinished.replace(place)
    except OSError:
        with suppress(OSError):
            unfinished.unlink()
