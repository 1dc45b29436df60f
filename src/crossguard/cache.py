"""Where files are kept that can be made again: decoded images, features, words of images, converted checkpoints."""

from __future__ import annotations

import os
from pathlib import Path

from platformdirs import user_cache_path


def cache_folder() -> Path:
    """Returns `CROSSGUARD_CACHE`, or Crossguard's part of the user's cache folder."""
    own = os.environ.get("CROSSGUARD_CACHE")
    return Path(own) if own else user_cache_path("crossguard", appauthor=False)
