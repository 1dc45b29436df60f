from __future__ import annotations

import json
from dataclasses import dataclass

import numpy as np
import pytest
from tests.support.estimates import defined

from crossguard.evaluation.estimates import Estimate, number, plain


def test_an_interval_needs_nearly_all_rounds_defined() -> None:
    rounds = np.append(np.full(90, 0.5), np.full(10, np.nan))
    assert Estimate(0.5).with_rounds(rounds).interval == ""
    assert Estimate(0.5).with_rounds(np.linspace(0, 1, 101)).interval == "[0.025, 0.975]"


def test_biased_rounds_are_centred_on_the_value_and_stay_in_range() -> None:
    found = Estimate(0.1).with_biased_rounds(np.linspace(0.2, 0.6, 101))
    low, value, high = defined(found)
    assert low == 0.0
    assert value == 0.1 < high < 0.4


def test_an_undefined_number_has_a_reason_and_no_interval() -> None:
    found = number(float("nan"), "nothing was flagged")
    assert str(found) == "undefined: nothing was flagged"
    assert found.short == "undefined"
    assert found.with_rounds(np.ones(100)) == found


def test_records_become_plain_data() -> None:
    @dataclass
    class Inner:
        estimate: Estimate
        names: tuple[str, ...]

    nested = {"x": Inner(Estimate(0.5, 0.4, 0.6), ("a",)), "y": [Estimate.undefined("why")]}
    assert json.loads(json.dumps(plain(nested))) == {
        "x": {"estimate": {"value": 0.5, "low": 0.4, "high": 0.6}, "names": ["a"]},
        "y": [{"value": None, "reason": "why"}],
    }


def test_a_share_has_the_interval_of_wilson() -> None:
    assert Estimate.share(0, 0).value is None
    half = Estimate.share(50, 100)
    assert half.low == pytest.approx(0.4038, abs=0.0005)
    assert half.high == pytest.approx(0.5962, abs=0.0005)
    assert (half.count, str(Estimate.share(0, 0))) == (100, "undefined: no posts")
