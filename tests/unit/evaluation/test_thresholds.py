from __future__ import annotations

import numpy as np
import pytest

from crossguard.errors import ConfigError, InputError
from crossguard.evaluation.thresholds import Goal, fit_threshold


@pytest.mark.parametrize(
    ("text", "goal"),
    [
        ("f1", Goal("f1")),
        ("precision>=0.9", Goal("precision", 0.9)),
        ("recall >= 95%", Goal("recall", 0.95)),
        ("cost=1:5", Goal("cost", 1, 5)),
        ("cost 1:5", Goal("cost", 1, 5)),
        ("review-budget=2%", Goal("review-budget", 0.02)),
    ],
)
def test_goals_read_as_people_write_them(text: str, goal: Goal) -> None:
    assert Goal.parse(text) == goal
    assert Goal.parse(str(goal)) == goal, "a goal that was printed can be typed"


@pytest.mark.parametrize("text", ["", "f2", "precision", "precision>=0", "recall>=101%", "cost=1", "review-budget=0%"])
def test_what_is_no_goal_is_told_the_forms(text: str) -> None:
    with pytest.raises(ConfigError, match="A goal is one of f1, precision"):
        Goal.parse(text)


def test_a_goal_without_positives_is_refused() -> None:
    with pytest.raises(InputError, match="needs a positive post"):
        fit_threshold(Goal("f1"), np.array([False]), np.array([0.3]))


def test_the_threshold_lies_midway_between_neighbours() -> None:
    assert fit_threshold(Goal("f1"), np.array([True, False]), np.array([0.8, 0.4])) == pytest.approx(0.6)
