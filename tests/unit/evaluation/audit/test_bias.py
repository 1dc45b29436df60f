from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score
from tests.support.estimates import defined

from crossguard.evaluation.audit.bias import AUCS, RATES, audit_groups
from crossguard.evaluation.sample import Sample


def sample(seed: int, posts: int = 400, shift: float = 0.0) -> tuple[Sample, NDArray[np.bool_]]:
    """Posts of a group (a third) and others; harmless posts of the group score higher by `shift`."""
    generator = np.random.default_rng(seed)
    inside = generator.random(posts) < 1 / 3
    truth = generator.random(posts) < 0.4
    raw = 0.3 * truth + 0.5 * generator.random(posts) + shift * (inside & ~truth)
    return Sample.build("a", truth[:, None].astype(float), np.clip(raw, 0, 1)[:, None], 0.5), inside


@given(st.integers(0, 2**32 - 1), st.sampled_from([0.0, 0.2]))
@settings(max_examples=20, deadline=None)
def test_the_three_aucs_are_those_of_borkan(seed: int, shift: float) -> None:
    scored, inside = sample(seed, shift=shift)
    truth, scores = scored.truth[:, 0] > 0, scored.scores[:, 0]
    estimates = audit_groups(scored, {"g": inside}, rounds=0).groups["g"].estimates
    subsets = {
        "subgroup_auc": inside,
        "bpsn_auc": (~inside & truth) | (inside & ~truth),
        "bnsp_auc": (~inside & ~truth) | (inside & truth),
    }
    for key, rows in subsets.items():
        assert estimates[key].value == pytest.approx(roc_auc_score(truth[rows], scores[rows])), key


def test_an_auc_of_few_posts_that_are_apart_is_not_certain() -> None:
    inside, truth = np.arange(200) < 20, np.arange(200) % 2 == 0
    apart = Sample.build("a", truth[:, None].astype(float), 0.1 + 0.8 * truth[:, None], 0.5)
    copied = replace(apart.take(np.arange(200).repeat(9)), groups=np.arange(200).repeat(9))
    for one, members in ((apart, inside), (copied, inside.repeat(9))):
        estimates = audit_groups(one, {"g": members}, rounds=400).groups["g"].estimates
        assert estimates["subgroup_auc"].low == pytest.approx(0.83, abs=0.05), "of ten posts of each kind"
        assert estimates["bpsn_auc"].low == pytest.approx(0.89, abs=0.04), "of ten beside ninety"
        assert {estimates[key].high for key in AUCS} == {1.0}


def test_rates_are_counted_at_the_live_flags() -> None:
    scored, inside = sample(1)
    truth, flags = scored.truth[:, 0] > 0, scored.flags[:, 0]
    estimates = audit_groups(scored, {"g": inside}, rounds=0).groups["g"].estimates
    assert estimates["false_positive_rate"].value == pytest.approx(flags[inside & ~truth].mean())
    assert estimates["false_negative_rate"].value == pytest.approx(1 - flags[inside & truth].mean())
    assert estimates["flagged_share"].value == pytest.approx(flags[inside].mean())
    gap = flags[inside & ~truth].mean() - flags[~inside & ~truth].mean()
    assert estimates["false_positive_gap"].value == pytest.approx(gap)


def test_a_group_that_is_over_flagged_is_warned_about_and_a_fair_one_is_not() -> None:
    unfair, inside = sample(2, posts=2000, shift=0.25)
    found = audit_groups(unfair, {"g": inside, "fair": np.arange(2000) % 2 == 0}, rounds=200)
    assert len(found.warnings) == 1
    assert "'g' are flagged in" in found.warnings[0]
    bpsn, bnsp = found.groups["g"].estimates["bpsn_auc"], found.groups["g"].estimates["bnsp_auc"]
    assert defined(bpsn).high < defined(bnsp).low, (
        "its harmless posts score too high, its hateful ones do not score too low"
    )


def test_small_groups_that_are_treated_as_all_others_are_said_to_be_neither_better_nor_worse_off() -> None:
    generator = np.random.default_rng(9)
    truth = generator.random(600) < 0.2
    scores = np.clip(generator.normal(0.25, 0.13, 600) + 0.4 * truth, 0, 1)
    scored = Sample.build("a", truth[:, None].astype(float), scores[:, None], 0.5)
    groups = {f"g{number}": np.arange(600) // 20 == number for number in range(30)}
    gaps = [audit.estimates["false_positive_gap"] for audit in audit_groups(scored, groups).groups.values()]
    assert sum((gap.value or 0) < 0 for gap in gaps) > 15, "of most groups no harmless post is flagged"
    covered = [gap.low is not None and gap.high is not None and gap.low <= 0 <= gap.high for gap in gaps]
    assert np.mean(covered) >= 0.95


def test_twenty_harmless_posts_that_are_not_flagged_say_little() -> None:
    inside = np.arange(120) < 20
    scores = np.where(np.arange(120) % 50 == 49, 0.9, 0.1)
    scored = Sample.build("a", np.zeros((120, 1)), scores[:, None], 0.5)
    estimates = audit_groups(scored, {"g": inside}, rounds=0).groups["g"].estimates
    rate, gap = estimates["false_positive_rate"], estimates["false_positive_gap"]
    # By hand: 0 of 20 with 1.96**2 / (20 + 1.96**2), and 1 - 0.025**(1 / 20) where the limits are exact.
    assert (rate.value, rate.low, rate.high) == pytest.approx((0.0, 0.0, 0.1611), abs=1e-4)
    assert gap.value == pytest.approx(-0.02)
    assert gap.high == pytest.approx(-0.02 + np.hypot(0.1684, 0.02 - 0.00243), abs=1e-4)


def test_copies_of_posts_make_no_rate_more_certain_and_no_warning() -> None:
    place, inside = np.arange(240) % 120, np.arange(240) < 120
    flags = place < np.where(inside, 10, 5)  # of 100 harmless posts; all hateful ones are missed
    scored = Sample.build("a", (place >= 100)[:, None].astype(float), flags[:, None].astype(float), 0.5)
    own = np.repeat(np.arange(240), 20)
    copied = replace(scored.take(own), groups=own)
    once = audit_groups(scored, {"g": inside}, rounds=0)
    many, unknown = (audit_groups(s, {"g": inside[own]}, rounds=0) for s in (copied, replace(copied, groups=None)))
    assert not once.warnings
    assert not many.warnings
    assert unknown.warnings, "as if a post that is wrongly flagged were twenty"
    for key in RATES:
        one, other = (found.groups["g"].estimates[key] for found in (once, many))
        assert (other.value, other.low, other.high) == pytest.approx((one.value, one.low, one.high)), key


def test_a_text_with_many_copies_leaves_the_rate_of_others_open() -> None:
    owners = np.minimum(np.arange(400), 300)
    scored = Sample.build("a", np.zeros((400, 1)), np.full((400, 1), 0.1), 0.5, groups=owners)
    inside = np.arange(400) >= 280
    rate = audit_groups(scored, {"g": inside}, rounds=0).groups["g"].estimates["false_positive_rate"]
    # By hand: 20 posts and 100 copies of one tell as much as 120**2 / (20 + 100**2) posts do.
    assert rate.value == 0
    assert rate.high == pytest.approx(1.96**2 / (120**2 / 10_020 + 1.96**2), abs=1e-3)


def test_copies_of_nine_texts_are_no_group() -> None:
    scored, _ = sample(8)
    groups = np.where(np.arange(400) < 90, np.arange(400) % 9, np.arange(400))
    estimates = audit_groups(replace(scored, groups=groups), {"g": np.arange(400) < 90}).groups["g"].estimates
    assert estimates["false_positive_rate"].reason == "fewer than 10 different harmless posts"
    assert estimates["subgroup_auc"].reason == "9 hateful and 9 harmless posts that differ; 10 each are needed"


def test_the_generalised_mean_leans_to_the_worst_group() -> None:
    scored, inside = sample(3, posts=2000, shift=0.25)
    found = audit_groups(scored, {"bad": inside, "good": ~inside}, rounds=0)
    values = [group.estimates["bpsn_auc"].value or 0 for group in found.groups.values()]
    mean = found.generalised_means["bpsn_auc"].value
    assert mean is not None
    assert min(values) < mean < np.mean(values)
    assert found.final_bias_auc.value == pytest.approx(
        np.mean([found.overall_auc.value, *(found.generalised_means[key].value for key in AUCS)])
    )


def test_a_small_group_has_reasons_instead_of_figures() -> None:
    scored, _ = sample(4)
    found = audit_groups(scored, {"few": np.arange(400) < 5}, rounds=20)
    assert "10 each are needed" in found.groups["few"].estimates["subgroup_auc"].reason
    assert found.groups["few"].estimates["false_positive_rate"].reason == "fewer than 10 different harmless posts"
    assert found.generalised_means["subgroup_auc"].reason == "no group has enough posts"
    assert found.warnings == ()


def test_a_group_of_everybody_has_nobody_to_compare_with() -> None:
    scored, _ = sample(5)
    estimates = audit_groups(scored, {"all": np.ones(400, dtype=np.bool_)}, rounds=0).groups["all"].estimates
    assert estimates["false_positive_gap"].reason == "no posts to compare"


def test_a_group_is_not_compared_with_a_handful_of_others() -> None:
    scored, _ = sample(5)
    truth = scored.truth[:, 0] > 0
    others = np.isin(np.arange(400), np.flatnonzero(~truth & ~scored.flags[:, 0])[:9])
    found = audit_groups(scored, {"most": ~others})
    gap = found.groups["most"].estimates["false_positive_gap"]
    assert gap.reason == "fewer than 10 different harmless posts of others"
    assert found.warnings == ()


def test_rates_of_harmless_posts_need_no_hateful_ones() -> None:
    scored, inside = sample(6)
    harmless = replace(scored, truth=np.zeros_like(scored.truth))
    estimates = audit_groups(harmless, {"g": inside}, rounds=50).groups["g"].estimates
    assert estimates["false_positive_rate"].value == pytest.approx(scored.flags[inside, 0].mean())
    assert estimates["false_positive_gap"].low is not None
    assert estimates["false_negative_rate"].reason == "fewer than 10 different hateful posts"
