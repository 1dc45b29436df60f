"""Votes become targets."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("torch", reason="training belongs to crossguard[train]")

from crossguard.training.recipe import Rule
from crossguard.training.targets import targets, unions

NAN = np.nan
THIRD = 1 / 3
SHARES = np.array([[0, 0], [THIRD, 0], [2 / 3, THIRD], [1, 0], [NAN, 1], [NAN, NAN]], dtype=np.float32)


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ("any", [[0, 0], [1, 0], [1, 1], [1, 0], [NAN, 1], [NAN, NAN]]),
        ("majority", [[0, 0], [0, 0], [1, 0], [1, 0], [NAN, 1], [NAN, NAN]]),
        ("votes", SHARES.tolist()),
        ("unanimous", [[0, 0], [NAN, NAN], [NAN, NAN], [1, 0], [NAN, 1], [NAN, NAN]]),
    ],
)
def test_rules(rule: Rule, expected: list[list[float]]) -> None:
    np.testing.assert_array_equal(targets(SHARES, rule), np.array(expected, dtype=np.float32))


def test_a_union_is_known_from_the_labels_or_from_the_post() -> None:
    hateful = np.array([NAN, NAN, NAN, NAN, NAN, 1], dtype=np.float32)
    np.testing.assert_array_equal(unions(SHARES, hateful, "any"), [0, 1, 1, 1, 1, 1])
    np.testing.assert_array_equal(unions(SHARES, hateful, "unanimous"), [0, NAN, NAN, 1, 1, NAN])
