"""What the votes on an item amount to: wait for more, or an outcome. Pure functions, no database."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any, Final


class Answer(StrEnum):
    """What a person says about one label."""

    YES = "yes"
    NO = "no"
    UNSURE = "unsure"


VALUES: Final = {Answer.YES: 1.0, Answer.NO: 0.0, Answer.UNSURE: 0.5}
MAJORITY: Final = 0.5
"""Mean of the votes on a label that is left open: as many say yes as no. To metrics it is neither; to learning it
counts as given, as it does to `calibrate`, which reads what is exported."""
TIE_BREAK: Final = 3
"""Votes after which an item is decided whatever they say."""


@dataclass(frozen=True, slots=True)
class Ballot:
    """One person's decision about one item."""

    labels: Mapping[str, Answer]  # answer per label; a label without an answer is absent
    action: str
    clause: str = ""  # clause of the policy that it rests on
    comment: str = ""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What several ballots amount to."""

    labels: Mapping[str, float]  # mean of the votes per label, in [0, 1]; yes is 1, unsure 0.5, no 0
    action: str  # what most voted for; without a majority, what the last voted for
    clause: str  # that of the last ballot with this action
    votes: int
    agreed: bool  # whether all gave the same action and no contrary answers

    def to_dict(self) -> dict[str, Any]:
        """Returns the record that is stored and exported."""
        return asdict(self)


def resolve(ballots: Sequence[Ballot], needed: int) -> Outcome | None:
    """Returns the outcome of ballots in the order in which they were cast, or None while more are needed.

    `needed` is how many the item needs; one more where two disagree.
    """
    if len(ballots) < needed:
        return None
    agreed = agree(ballots)
    if not agreed and len(ballots) < TIE_BREAK:
        return None
    counts = Counter(ballot.action for ballot in ballots)
    action, most = counts.most_common(1)[0]
    if 2 * most <= len(ballots):
        action = ballots[-1].action
    labels = {name: _mean(ballots, name) for ballot in ballots for name in ballot.labels}
    clause = next(ballot.clause for ballot in reversed(ballots) if ballot.action == action)
    return Outcome(labels, action, clause, len(ballots), agreed)


def agree(ballots: Sequence[Ballot]) -> bool:
    """Whether all ballots give the same action, and no label has both a yes and a no."""
    if len({ballot.action for ballot in ballots}) > 1:
        return False
    names = {name for ballot in ballots for name in ballot.labels}
    return all(not {Answer.YES, Answer.NO} <= {b.labels.get(name, Answer.UNSURE) for b in ballots} for name in names)


def _mean(ballots: Sequence[Ballot], label: str) -> float:
    values = [VALUES[ballot.labels[label]] for ballot in ballots if label in ballot.labels]
    return sum(values) / len(values)
