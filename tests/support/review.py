"""Posts as a console receives them."""

from __future__ import annotations

from typing import Any

from crossguard.labels import HATE
from crossguard.records import Action, Decision, LabelDecision
from crossguard.review.submissions import Submission

THRESHOLD = 0.5


def decision(id_: str, score: float = 0.7, label: str = "racist", others: float = 0.05) -> dict[str, Any]:
    """A record of scoring: one label with a score, the others low."""
    labels = {name: _label(score if name == label else others) for name in HATE.names}
    action = max((entry.action for entry in labels.values()), key=list(Action).index)
    return Decision(id_, labels, action, 1.0, "tiny", "1.0.0", "default", "1").to_dict()


def _label(score: float) -> LabelDecision:
    action = Action.BLOCK if score >= 0.9 else Action.REVIEW if score >= 0.4 else Action.ALLOW
    return LabelDecision(score, THRESHOLD, score >= THRESHOLD, action)


def submission(id_: str, text: str = "", score: float = 0.7, **more: Any) -> Submission:
    """A post that the model wants somebody to look at."""
    given: dict[str, Any] = {"id": id_, "text": text or f"post {'abcdefghij'[int(id_[-1])] * 3}{id_}"}
    return Submission(**given | {"decision": decision(id_, score)} | more)
