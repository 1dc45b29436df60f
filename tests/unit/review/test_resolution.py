"""What votes amount to."""

from __future__ import annotations

import pytest

from crossguard.review.resolution import Answer, Ballot, resolve

YES, NO, UNSURE = Answer.YES, Answer.NO, Answer.UNSURE


def ballot(action: str = "block", **labels: Answer) -> Ballot:
    return Ballot(labels, action)


def test_one_vote_decides_where_one_is_needed() -> None:
    outcome = resolve([ballot(racist=YES, sexist=UNSURE)], 1)
    assert outcome is not None
    assert outcome.labels == {"racist": 1.0, "sexist": 0.5}
    assert (outcome.action, outcome.votes, outcome.agreed) == ("block", 1, True)


def test_a_second_vote_is_waited_for() -> None:
    assert resolve([ballot()], 2) is None
    assert resolve([], 1) is None


def test_two_who_agree_decide() -> None:
    outcome = resolve([ballot(racist=YES), ballot(racist=UNSURE)], 2)
    assert outcome is not None
    assert outcome.agreed
    assert outcome.labels == {"racist": 0.75}


@pytest.mark.parametrize(
    "second", [ballot("allow", racist=YES), ballot("block", racist=NO)], ids=["another action", "another answer"]
)
def test_a_disagreement_asks_for_a_third_person(second: Ballot) -> None:
    first = ballot(racist=YES)
    assert resolve([first, second], 2) is None
    outcome = resolve([first, second, ballot("allow", racist=YES)], 2)
    assert outcome is not None
    assert not outcome.agreed
    assert outcome.votes == 3


def test_the_majority_gives_the_action_and_the_last_vote_without_one() -> None:
    majority = resolve([ballot("allow"), ballot("block"), ballot("allow")], 2)
    none = resolve([ballot("allow"), ballot("block"), ballot("warn")], 2)
    assert majority is not None
    assert none is not None
    assert (majority.action, none.action) == ("allow", "warn")
