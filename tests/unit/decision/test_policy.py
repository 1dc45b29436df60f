from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from crossguard.checked_settings import parse
from crossguard.decision.policy import Bands, LabelPolicy, Policy, Prevalence, choose
from crossguard.errors import ConfigError
from crossguard.labels import LabelSet
from crossguard.records import Action

LABELS = LabelSet.of("a", "b")


def policy(**labels: LabelPolicy) -> Policy:
    rules = {"a": LabelPolicy(threshold=0.5), "b": LabelPolicy(threshold=0.5)} | labels
    return Policy(name="default", version="1", labels=rules)


def test_bands_order_the_actions() -> None:
    rule = LabelPolicy(threshold=0.5, review=0.3, block=0.9)
    found = [rule.action(score) for score in (0.29, 0.3, 0.5, 0.89, 0.9)]
    assert found == [Action.ALLOW, *[Action.REVIEW] * 3, Action.BLOCK]


def test_without_bands_a_flag_asks_for_review_and_nothing_is_blocked() -> None:
    rule = LabelPolicy(threshold=0.5)
    assert [rule.action(score) for score in (0.49, 0.5, 1.0)] == [Action.ALLOW, Action.REVIEW, Action.REVIEW]


@pytest.mark.parametrize(("review", "block"), [(0.6, None), (None, 0.4)])
def test_bands_must_lie_around_the_threshold(review: float | None, block: float | None) -> None:
    with pytest.raises(ValidationError, match="must not lie"):
        LabelPolicy(threshold=0.5, review=review, block=block)


def test_the_strictest_label_decides() -> None:
    labels, action, by = policy(b=LabelPolicy(threshold=0.5, block=0.8)).decide(LABELS, np.array([0.6, 0.85]))
    assert (action, by) == (Action.BLOCK, ("b",))
    assert [entry.flagged for entry in labels.values()] == [True, True]
    assert labels["a"].action is Action.REVIEW


@given(st.floats(0, 1), st.floats(0, 1), st.floats(0, 1))
def test_a_higher_threshold_never_adds_a_flag(score: float, first: float, second: float) -> None:
    low, high = sorted((first, second))
    flags = [
        policy(a=LabelPolicy(threshold=threshold)).decide(LABELS, np.array([score, 0.0]))[0]["a"].flagged
        for threshold in (low, high)
    ]
    assert flags[0] >= flags[1]


def test_prevalence_lowers_scores_where_hate_is_rare() -> None:
    rare = policy(a=LabelPolicy(threshold=0.5, prevalence=Prevalence(source=0.3, target=0.01)))
    scores = rare.scores(LABELS, np.array([[1.0, 1.0]]))
    assert scores[0, 0] < 0.1 < scores[0, 1]


def test_policy_and_model_must_name_the_same_labels() -> None:
    with pytest.raises(ConfigError) as failure:
        policy().check(LabelSet.of("a", "bb"), (), ["labels"])
    assert "label 'bb' has no threshold" in str(failure.value)
    assert "Unknown label 'b'. Did you mean 'bb'?" in str(failure.value)


def test_unknown_policy_is_answered_with_the_known_ones() -> None:
    with pytest.raises(ConfigError, match="Did you mean 'default'"):
        choose({"default": policy()}, "defualt")


def test_a_kind_of_input_has_bands_of_its_own() -> None:
    rules = {"a": LabelPolicy(threshold=0.5, block=0.9), "b": LabelPolicy(threshold=0.5)}
    inputs = {"image": {"a": {"threshold": 0.8}}, "both": {"a": {"block": None}}}
    made = parse(
        Policy,
        {"name": "x", "version": "1", "labels": {n: r.model_dump() for n, r in rules.items()}, "inputs": inputs},
        "x",
    )
    scores = np.array([0.95, 0.1])
    assert made.decide(LABELS, scores, "text")[1] is Action.BLOCK
    assert made.decide(LABELS, scores, "image")[1] is Action.BLOCK
    assert made.decide(LABELS, scores, "both")[1] is Action.REVIEW
    assert made.rules("image")["a"] == LabelPolicy(threshold=0.8, block=0.9)
    assert not made.decide(LABELS, np.array([0.6, 0.1]), "image")[0]["a"].flagged
    assert parse(Policy, made.model_dump(mode="json"), "again") == made
    assert made.kinds == ("text", "image", "both")
    assert policy().kinds == ("text",)


def test_bands_of_an_input_must_lie_around_the_threshold() -> None:
    labels = {name: {"threshold": 0.5} for name in LABELS.names}
    with pytest.raises(ConfigError, match="must not lie"):
        parse(Policy, {"name": "x", "version": "1", "labels": labels, "inputs": {"both": {"a": {"block": 0.4}}}}, "x")
    with pytest.raises(ConfigError, match="unknown label 'c'"):
        parse(Policy, {"name": "x", "version": "1", "labels": labels, "inputs": {"both": {"c": {"block": 0.9}}}}, "x")


def test_attributes_count_only_with_bands() -> None:
    made = policy().model_copy(update={"attributes": {"toxicity": Bands(threshold=0.5, block=0.9)}})
    calm = np.array([0.1, 0.1])
    assert made.decide(LABELS, calm, "text", {"toxicity": 0.95, "threat": 1.0})[1] is Action.BLOCK
    assert made.decide(LABELS, calm, "text", {"toxicity": 0.95}).decided_by == ("toxicity",)
    assert policy().decide(LABELS, calm, "text", {"toxicity": 0.95})[1] is Action.ALLOW


def test_a_changed_copy_decides_by_what_it_says() -> None:
    bands = {"image": {"spam": {"threshold": 0.2}}}
    made = Policy.model_validate({"name": "p", "version": "1", "labels": {"spam": {"threshold": 0.5}}, "inputs": bands})
    assert made.rules("image")["spam"].threshold == 0.2
    for deep in (False, True):
        assert made.model_copy(update={"inputs": {}}, deep=deep).rules("image")["spam"].threshold == 0.5
        stricter = {"spam": LabelPolicy(threshold=0.5, block=0.9)}
        assert made.model_copy(update={"labels": stricter}, deep=deep).rules("image")["spam"].block == 0.9
    for change in ({"threshold": 50}, {"threshold": float("nan")}, {"review": -1}, {"treshold": 0.1}):
        with pytest.raises(ValidationError, match=r"labels\.spam"):
            made.model_copy(update={"labels": {"spam": made.labels["spam"].model_copy(update=change)}})
    with pytest.raises(ValidationError, match=r"'inputs\.image': unknown label 'spam'"):
        made.model_copy(update={"labels": {"ham": LabelPolicy(threshold=0.5)}})
