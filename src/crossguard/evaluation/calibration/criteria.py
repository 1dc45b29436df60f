"""What a threshold should achieve, as people write it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal, cast

from crossguard.errors import ConfigError

CriterionKind = Literal["f1", "precision", "recall", "cost", "review-budget"]

EXAMPLES = "f1, precision>=0.9, recall>=0.95, cost=1:5, review-budget=2%"
_SHARE = re.compile(r"(precision\s*>=|recall\s*>=|review-budget\s*=)\s*(\d*\.?\d+)(%?)")
_COST = re.compile(r"cost\s*=?\s*(\d*\.?\d+)\s*:\s*(\d*\.?\d+)")


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
        words = text.strip()
        if words == "f1":
            return cls("f1")
        if found := _COST.fullmatch(words):
            return cls("cost", float(found[1]), float(found[2]))
        if found := _SHARE.fullmatch(words):
            value = float(found[2]) / (100 if found[3] else 1)
            if 0 < value <= 1:
                return cls(cast("CriterionKind", found[1].rstrip(">=").rstrip()), value)
        raise ConfigError(f"A criterion is one of {EXAMPLES}; got '{text}'.")

    def __str__(self) -> str:
        if self.kind == "cost":
            return f"cost={self.value:g}:{self.miss:g}"
        if self.kind == "review-budget":
            return f"review-budget={self.value:.3g}"
        return self.kind if self.kind == "f1" else f"{self.kind}>={self.value:g}"
