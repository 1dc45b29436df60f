"""What a threshold should achieve, as people write it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from crossguard.errors import ConfigError

CriterionKind = Literal["f1", "precision", "recall", "cost", "review-budget"]

EXAMPLES = "f1, precision>=0.9, recall>=0.95, cost=1:5, review-budget=2%"
_SHARE = r"(?P<value>\d*\.?\d+)(?P<percent>%?)"
_FORMS: tuple[tuple[CriterionKind, str], ...] = (
    ("f1", r"f1"),
    ("precision", rf"precision\s*>=\s*{_SHARE}"),
    ("recall", rf"recall\s*>=\s*{_SHARE}"),
    ("cost", r"cost\s*=?\s*(?P<fp>\d*\.?\d+)\s*:\s*(?P<fn>\d*\.?\d+)"),
    ("review-budget", rf"review-budget\s*=\s*{_SHARE}"),
)


@dataclass(frozen=True, slots=True)
class Criterion:
    """What a threshold should achieve."""

    # `f1` (highest), `precision` (at least `value`, then highest recall), `recall` (at least `value`, then fewest
    # flags), `cost` (lowest `value` per false positive plus `miss` per false negative), or `review-budget` (at most the
    # share `value` of all posts flagged, over all labels with that criterion)
    kind: CriterionKind
    value: float = 0.0
    miss: float = 0.0

    @classmethod
    def parse(cls, text: str) -> Criterion:
        """Reads a criterion as people write it.

        Raises:
            ConfigError: The text is no criterion, or its share lies outside (0, 1].
        """
        for kind, form in _FORMS:
            match = re.fullmatch(form, text.strip())
            if match is None:
                continue
            found = match.groupdict()
            if kind == "cost":
                return cls(kind, float(found["fp"]), float(found["fn"]))
            value = float(found.get("value") or 1.0) / (100 if found.get("percent") else 1)
            if not 0 < value <= 1:
                break
            return cls(kind, value if kind != "f1" else 0.0)
        raise ConfigError(f"A criterion is one of {EXAMPLES}; got '{text}'.")

    def __str__(self) -> str:
        if self.kind == "cost":
            return f"cost={self.value:g}:{self.miss:g}"
        if self.kind == "review-budget":
            return f"review-budget={self.value:.3g}"
        return self.kind if self.kind == "f1" else f"{self.kind}>={self.value:g}"
