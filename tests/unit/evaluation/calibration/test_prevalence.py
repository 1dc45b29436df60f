from __future__ import annotations

import numpy as np
import pytest

from crossguard.decision.calibration import logit, sigmoid
from crossguard.errors import InputError
from crossguard.evaluation.calibration.maps import estimate_prevalence, weights_for


@pytest.mark.parametrize("target", [0.02, 0.1, 0.5, 0.8])
def test_em_finds_the_base_rate_of_an_unlabelled_feed(target: float) -> None:
    generator, source = np.random.default_rng(0), 0.3
    hateful = generator.random(20_000) < target
    # Gaussians one apart on either side: the calibrated logit is 4x / 2 + logit(prior).
    x = generator.normal(size=20_000) + np.where(hateful, 1.0, -1.0)
    scores = sigmoid(2 * x + logit(np.array([source])))
    assert estimate_prevalence(scores, source) == pytest.approx(target, abs=0.015)


def test_weights_give_the_target_share_and_keep_the_number_of_posts() -> None:
    truth = np.arange(10) < 3
    weights = weights_for(truth, 0.05)
    assert weights[truth].sum() / weights.sum() == pytest.approx(0.05)
    assert weights.sum() == pytest.approx(10)


def test_what_cannot_be_estimated_is_refused() -> None:
    with pytest.raises(InputError, match="at least one"):
        estimate_prevalence(np.array([]), 0.3)
    with pytest.raises(InputError, match="a positive and a negative"):
        weights_for(np.array([True]), 0.3)
