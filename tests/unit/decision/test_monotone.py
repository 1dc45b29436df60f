from __future__ import annotations

import pytest
from pydantic import ValidationError

from crossguard.decision.monotone import MonotoneMap


def test_a_map_is_linear_between_its_knots_and_constant_beyond() -> None:
    fitted = MonotoneMap(x=(0.1, 0.5, 0.9), y=(0.0, 0.8, 0.8))
    assert [fitted(x) for x in (0.0, 0.1, 0.3, 0.5, 0.7, 1.0)] == pytest.approx([0, 0, 0.4, 0.8, 0.8, 0.8])


@pytest.mark.parametrize(
    ("x", "y", "said"),
    [
        ((0.1, 0.5), (0.2,), "at least 2|as many"),
        ((0.5, 0.5), (0.1, 0.2), "increase"),
        ((0.1, 0.5), (0.2, 0.1), "not decrease"),
        ((0.1, 1.5), (0.2, 0.3), r"in \[0, 1\]"),
    ],
)
def test_what_is_no_monotone_map_is_refused(x: tuple[float, ...], y: tuple[float, ...], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        MonotoneMap(x=x, y=y)
