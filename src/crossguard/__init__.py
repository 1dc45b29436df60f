"""Crossguard scores posts (text, image or both) for hate, and helps human moderators decide.

Example:
    ```python
    moderator = crossguard.load("compact")
    decision = moderator.score("...")
    decisions = moderator.score(["...", "..."])
    ```
"""

from __future__ import annotations

import importlib
import sys
from typing import TYPE_CHECKING, Any

from crossguard.__about__ import __version__

# OpenVINO's `import` forks the process and reports to Google Analytics. Without this package it has a stub instead.
sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]  # None: not to be imported

if TYPE_CHECKING:
    from crossguard import errors
    from crossguard.data.image_limits import ImageLimits
    from crossguard.data.writing import read_decisions
    from crossguard.decision.policy import Policy
    from crossguard.jobs.run import score_files
    from crossguard.jobs.summary import JobSummary
    from crossguard.labels import Label, LabelSet
    from crossguard.loading import load
    from crossguard.moderator import Moderator
    from crossguard.records import Action, Decision, LabelDecision, Post, PostFailure
    from crossguard.results import Results
    from crossguard.scoring import Summary, score_file

# Loaded on first use: `import crossguard` and `crossguard --help` must not wait for a runtime.
_HOMES = {
    "Action": "crossguard.records",
    "Decision": "crossguard.records",
    "ImageLimits": "crossguard.data.image_limits",
    "JobSummary": "crossguard.jobs.summary",
    "Label": "crossguard.labels",
    "LabelDecision": "crossguard.records",
    "LabelSet": "crossguard.labels",
    "Moderator": "crossguard.moderator",
    "Policy": "crossguard.decision.policy",
    "Post": "crossguard.records",
    "PostFailure": "crossguard.records",
    "Results": "crossguard.results",
    "Summary": "crossguard.scoring",
    "load": "crossguard.loading",
    "read_decisions": "crossguard.data.writing",
    "score_file": "crossguard.scoring",
    "score_files": "crossguard.jobs.run",
}

__all__ = [
    "Action",
    "Decision",
    "ImageLimits",
    "JobSummary",
    "Label",
    "LabelDecision",
    "LabelSet",
    "Moderator",
    "Policy",
    "Post",
    "PostFailure",
    "Results",
    "Summary",
    "__version__",
    "errors",
    "load",
    "read_decisions",
    "score_file",
    "score_files",
]


def __getattr__(name: str) -> Any:
    if name == "errors":
        return importlib.import_module("crossguard.errors")
    if name not in _HOMES:
        raise AttributeError(f"module 'crossguard' has no attribute '{name}'")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
