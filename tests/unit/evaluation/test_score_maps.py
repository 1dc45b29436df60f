from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from crossguard.decision.calibration import Floats, MonotoneMap
from crossguard.errors import InputError
from crossguard.evaluation.score_maps import FittedMap, fit_map, reached

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
    fitted = fit_map(ours, theirs).map
    assert max(abs(fitted(x) - y) for x, y in zip(grid, DISTORTIONS[distortion](grid), strict=True)) < 0.02
    assert fitted.pairs == 500


@pytest.mark.parametrize("distortion", DISTORTIONS)
def test_noise_is_not_followed_and_the_error_is_that_of_the_noise(distortion: str) -> None:
    ours, theirs = pairs(distortion, "mostly low", 0.05)
    fitted = fit_map(ours, theirs).map
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
    once = fit_map(ours, theirs).map
    one, other = np.repeat(ours, 10), np.repeat(theirs, 10)
    fitted = fit_map(one, other, np.repeat(np.arange(60), 10) if told else None).map
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
    fitted = fit_map(ours, ours**2, np.arange(120)).map
    assert [fitted(x) for x in (0.0, 0.1, 0.5, 0.9, 1.0)] == pytest.approx([0.01, 0.01, 0.25, 0.81, 0.81], abs=0.01)


def scored(count: int, hateful: float, random: np.random.Generator) -> tuple[Floats, Floats]:
    """Two scorers that see the same of a comment, and each something of its own."""
    seen = np.where(random.random(count) < hateful, 1.5, -3.0) + random.normal(scale=1.5, size=count)
    ours, theirs = (1 / (1 + np.exp(-seen - random.normal(size=count))) for _ in range(2))
    return ours, theirs


def test_fewer_posts_reach_a_high_threshold_of_mapped_scores_and_it_is_told_which_score_as_many_reach() -> None:
    """A mapped score is the mean of theirs, so it is seldom as high; of 4.4 % of a feed that reached .9, .3 % did."""
    random = np.random.default_rng(1)
    fitted = fit_map(*scored(500, 0.5, random))
    found = reached(fitted, 0.9)
    assert len(fitted.held_out) == len(fitted.theirs) == 500
    assert found.both <= found.here < 0.7 * found.theirs
    assert not found.by_chance
    ours, theirs = scored(40_000, 0.05, random)
    mapped = np.interp(ours, fitted.map.x, fitted.map.y)
    assert found.as_many is not None
    assert (mapped >= 0.9).sum() < 0.7 * (theirs >= 0.9).sum()
    assert (mapped >= found.as_many).sum() == pytest.approx((theirs >= 0.9).sum(), rel=0.25)


def test_numbers_that_chance_explains_are_no_difference() -> None:
    theirs, held_out = np.array([0.95, 0.95, 0.2, 0.1]), np.array([0.95, 0.8, 0.3, 0.1])
    fitted = FittedMap(MonotoneMap(x=(0, 1), y=(0, 1)), held_out, theirs)
    found = reached(fitted, 0.9)
    assert (found.theirs, found.here, found.both, found.as_many, found.by_chance) == (2, 1, 1, 0.8, True)
    assert reached(fitted, 0.15).by_chance, "they are the same"
    assert reached(fitted, 0.99) == (0, 0, 0, None)
