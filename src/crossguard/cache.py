"""Where files are kept that can be made again: decoded pictures, features, converted checkpoints."""

from __future__ import annotations

import os
from pathlib import Path


def cache_folder() -> Path:
    """Returns `CROSSGUARD_CACHE`, or Crossguard's part of the user's cache folder."""
    own = os.environ.get("CROSSGUARD_CACHE")
    if own:
        return Path(own)
    return Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "crossguard"
