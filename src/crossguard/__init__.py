"""Crossguard scores posts (text, image or both) for hate, and helps human moderators decide.

Example:
    ```python
    moderator = crossguard.load("compact")
    decision = moderator.score(text="...", image="meme.jpg")
    ```
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from crossguard.__about__ import __version__

if TYPE_CHECKING:
    from crossguard.labels import Label, LabelSet
    from crossguard.moderator import Moderator, load
    from crossguard.records import Action, Decision, Post, PostFailure

__all__ = ["Action", "Decision", "Label", "LabelSet", "Moderator", "Post", "PostFailure", "__version__", "load"]

# Loaded on first use: `import crossguard` and `crossguard --help` must not wait for a runtime.
_HOMES = {
    "Action": "crossguard.records",
    "Decision": "crossguard.records",
    "Label": "crossguard.labels",
    "LabelSet": "crossguard.labels",
    "Moderator": "crossguard.moderator",
    "Post": "crossguard.records",
    "PostFailure": "crossguard.records",
    "load": "crossguard.moderator",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'crossguard' has no attribute '{name}'")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
