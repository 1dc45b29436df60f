"""What other interfaces call one thing and our labels tell apart: hate against people for who they are."""

from __future__ import annotations

from crossguard.labels import HATE
from crossguard.records import Decision


def hate_labels(decision: Decision) -> tuple[str, ...]:
    """Returns the labels of a decision that are kinds of hate."""
    return tuple(name for name in decision.labels if name in HATE.names)


def union_score(decision: Decision) -> float | None:
    """Returns a score for hate of any kind, or None when the bundle has no such label.

    The highest score over the kinds: the least that the probability of their union can be, whatever their dependence.
    """
    return max((decision.labels[name].score for name in hate_labels(decision)), default=None)
