"""Live recall, on feeds whose truth is known."""

from __future__ import annotations

import numpy as np

from crossguard.review.quality import recall
from crossguard.review.quality.recall import Stratum


def test_the_recall_estimate_holds_the_truth_in_its_interval() -> None:
    """200 feeds with known recall: the interval holds it about 95 times of 100."""
    random_ = np.random.default_rng(5)
    held = 0
    for _ in range(200):
        flagged, far = random_.binomial(400, 0.6), random_.binomial(10_000, 0.01)
        sampled = random_.hypergeometric(far, 10_000 - far, 500)
        found = recall.live(
            [
                Stratum("review", flagged=True, posts=400, checked=400, hateful=flagged),
                Stratum("allow-far", flagged=False, posts=10_000, checked=500, hateful=sampled),
            ]
        )
        truth = flagged / (flagged + far)
        assert found.recall.low is not None
        assert found.recall.high is not None
        held += found.recall.low <= truth <= found.recall.high
    assert 180 <= held <= 200


def test_recall_is_unknown_while_nothing_allowed_was_checked() -> None:
    found = recall.live(
        [
            Stratum("review", flagged=True, posts=400, checked=400, hateful=200),
            Stratum("allow-far", flagged=False, posts=10_000, checked=0, hateful=0),
        ]
    )
    assert found.recall.value is None
    assert found.recall.reason == "no allowed post was decided"
    assert found.precision.value == 0.5
    assert found.missing == ["allow-far"]
