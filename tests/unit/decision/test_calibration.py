from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from pydantic import ValidationError

from crossguard.decision.calibration import Identity, Isotonic, MonotoneMap, Platt, logit, shift_prior, sigmoid

LOGITS = arrays(np.float64, st.integers(1, 40), elements=st.floats(-60, 60))


def test_sigmoid_is_exact_and_never_overflows() -> None:
    values = sigmoid(np.array([-1e4, -1.0, 0.0, 1.0, 1e4]))
    assert values == pytest.approx([0.0, 0.2689414, 0.5, 0.7310586, 1.0])


def test_logit_undoes_sigmoid() -> None:
    logits = np.linspace(-15, 15, 31)
    assert logit(sigmoid(logits)) == pytest.approx(logits, abs=1e-6)


def test_each_calibrator_has_its_own_map() -> None:
    isotonic = Isotonic(logits=(0.0, 10.0), probabilities=(0.2, 0.4))
    pairs = ((Identity(), 0.0, 0.5), (Platt(scale=2.0, shift=-2.0), 1.0, 0.5), (isotonic, 5.0, 0.3))
    for calibrator, logits, expected in pairs:
        assert calibrator.apply(np.array([logits])) == pytest.approx(np.array([expected]))


@given(
    LOGITS, st.sampled_from([Identity(), Platt(scale=0.3, shift=1.0), Isotonic(logits=(-2, 3), probabilities=(0, 1))])
)
def test_calibration_keeps_the_order_of_posts(logits: np.ndarray, calibrator: Identity | Platt | Isotonic) -> None:
    scores = calibrator.apply(logits)
    assert np.all((scores >= 0) & (scores <= 1))
    assert np.all(np.diff(scores[np.argsort(logits)]) >= 0)


@pytest.mark.parametrize(
    ("logits", "probabilities"), [((0.0, 0.0), (0.1, 0.2)), ((0.0, 1.0), (0.3, 0.2)), ((0.0, 1.0, 2.0), (0.1, 0.2))]
)
def test_an_isotonic_map_must_be_monotonic(logits: tuple[float, ...], probabilities: tuple[float, ...]) -> None:
    with pytest.raises(ValidationError, match="isotonic"):
        Isotonic(logits=logits, probabilities=probabilities)


def test_prior_shift_is_bayes_rule() -> None:
    # P(y|x) = 0.6 where half of the posts are positive; where one in a hundred is, the odds shrink by 99.
    shifted = shift_prior(np.array([0.6]), 0.5, 0.01)
    odds = 0.6 / 0.4 / 99
    assert shifted == pytest.approx([odds / (1 + odds)])


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
