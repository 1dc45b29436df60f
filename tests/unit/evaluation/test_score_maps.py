from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from crossguard.decision.calibration import Floats
from crossguard.errors import InputError
from crossguard.evaluation.score_maps import fit_map

DISTORTIONS: dict[str, Callable[[Floats], Floats]] = {
    "identity": lambda x: x,
    "square": lambda x: x**2,
    "root": np.sqrt,
    "steep": lambda x: 1 / (1 + np.exp(-8 * (x - 0.4))),
    "other base rate": lambda x: x / (x + (1 - x) * 0.2),
    "flat ends": lambda x: np.clip(1.5 * x - 0.3, 0, 1),
}


def pairs(distortion: str, shape: str, noise: float) -> tuple[Floats, Floats]:
    random = np.random.default_rng(3)
    ours = random.uniform(size=500) if shape == "even" else random.beta(0.5, 1.5, size=500)
    return ours, np.clip(DISTORTIONS[distortion](ours) + random.normal(scale=noise, size=500), 0, 1)


@pytest.mark.parametrize("distortion", DISTORTIONS)
@pytest.mark.parametrize("shape", ["even", "mostly low"])
def test_a_known_distortion_is_recovered_from_500_pairs(distortion: str, shape: str) -> None:
    ours, theirs = pairs(distortion, shape, 0.0)
    grid = np.linspace(ours.min(), ours.max(), 200)
    fitted = fit_map(ours, theirs)
    assert max(abs(fitted(x) - y) for x, y in zip(grid, DISTORTIONS[distortion](grid), strict=True)) < 0.02
    assert fitted.pairs == 500


@pytest.mark.parametrize("distortion", DISTORTIONS)
def test_noise_is_not_followed_and_the_error_is_that_of_the_noise(distortion: str) -> None:
    ours, theirs = pairs(distortion, "mostly low", 0.05)
    fitted = fit_map(ours, theirs)
    grid = np.linspace(ours.min(), ours.max(), 200)
    assert np.mean([abs(fitted(x) - y) for x, y in zip(grid, DISTORTIONS[distortion](grid), strict=True)]) < 0.02
    assert fitted.error_interval is not None
    low, high = fitted.error_interval
    assert fitted.error is not None
    assert low <= fitted.error <= high
    assert 0.02 < fitted.error < 0.06
    assert len(fitted.x) <= 100


@pytest.mark.parametrize("told", [True, False])
def test_copies_of_a_post_neither_lower_the_error_nor_count(told: bool) -> None:
    """With a copy of each in every fold, the richest map would have seen all that it is measured on."""
    ours, theirs = (scores[:60] for scores in pairs("square", "mostly low", 0.1))
    once = fit_map(ours, theirs)
    one, other = np.repeat(ours, 10), np.repeat(theirs, 10)
    fitted = fit_map(one, other, np.repeat(np.arange(60), 10) if told else None)
    assert fitted.pairs == 60
    assert fitted.error == pytest.approx(once.error, abs=0.005)
    assert fitted.error_interval == pytest.approx(once.error_interval, abs=0.01)
    with pytest.raises(InputError, match="at least 50 different posts with both scores, and there are 49"):
        fit_map(one[:490], other[:490])


@pytest.mark.parametrize(
    ("ours", "theirs", "said"),
    [
        (np.linspace(0, 1, 49), np.linspace(0, 1, 49), "at least 50"),
        (np.full(60, 0.3), np.linspace(0, 1, 60), "alike"),
    ],
)
def test_what_says_nothing_is_refused(ours: Floats, theirs: Floats, said: str) -> None:
    with pytest.raises(InputError, match=said):
        fit_map(ours, theirs)


def test_scores_that_repeat_are_fine() -> None:
    ours = np.repeat([0.1, 0.5, 0.9], 40)
    fitted = fit_map(ours, ours**2, np.arange(120))
    assert [fitted(x) for x in (0.0, 0.1, 0.5, 0.9, 1.0)] == pytest.approx([0.01, 0.01, 0.25, 0.81, 0.81], abs=0.01)
