"""What a record says of itself, and what survives the way through JSON."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from tests.support.decisions import decision, failed

from crossguard.records import Action, DecidingWindow, Decision, LabelDecision, Post


def test_all_images_of_a_post_stand_in_one_tuple() -> None:
    assert Post("1").images == ()
    assert Post("1", image="a.png", more_images=("b.png",)).images == ("a.png", "b.png")
    assert Post("1", more_images=("b.png",)).images == ("b.png",)


def test_a_decision_knows_its_flags_and_its_highest_label() -> None:
    low, high = (
        LabelDecision(0.2, 0.5, flagged=False, action=Action.ALLOW),
        LabelDecision(0.9, 0.5, flagged=True, action=Action.BLOCK),
    )
    found = replace(decision("1"), labels={"racist": low, "sexist": high})
    assert (found.flags, found.top, found.ok, found.status) == (("sexist",), ("sexist", 0.9), True, "scored")
    lost = failed("2")
    assert (lost.flags, lost.top, lost.ok, lost.status, lost.modality_weights) == ((), None, False, "failed", None)


def test_modality_weights_sum_to_one_after_rounding() -> None:
    weights = replace(decision("1"), text_weight=1 / 3).modality_weights
    assert weights == {"text": 0.3333, "image": 0.6667}
    assert replace(decision("1"), text_weight=0.00005).modality_weights == {"text": 0.0001, "image": 0.9999}


def test_what_says_nothing_is_left_out_of_the_record() -> None:
    plain = decision("1")
    assert not {"attributes", "language", "window", "digest", "input"} & set(plain.to_dict())
    full = replace(plain, attributes={"toxicity": 0.12345678}, language="en", digest="ab", input={"text": "x"})
    record = full.to_dict()
    assert record["attributes"] == {"toxicity": 0.123457}
    assert (record["language"], record["digest"], record["input"]) == ("en", "ab", {"text": "x"})


@pytest.mark.parametrize("text", [None, (3, 9)])
def test_the_deciding_window_comes_back_from_json(text: tuple[int, int] | None) -> None:
    window = DecidingWindow(1, 4, text, (0, 2), undisguised=True)
    found = Decision.from_dict(json.loads(json.dumps(replace(decision("1"), window=window).to_dict())))
    assert found.window == window


@pytest.mark.parametrize(
    ("change", "error"),
    [({"schema_version": 1}, ValueError), ({"action": "ban"}, ValueError), ({"labels": {"racist": {}}}, KeyError)],
)
def test_a_foreign_record_is_refused(change: dict[str, object], error: type[Exception]) -> None:
    with pytest.raises(error):
        Decision.from_dict(decision("1").to_dict() | change)


def test_the_card_of_a_decision_has_the_two_keys_of_the_model_cards() -> None:
    card = decision("1", 0.75).to_card()
    assert set(card) == {"predictions", "probabilities"}
    assert card["predictions"]["racist"] is True
    assert card["probabilities"]["racist"] == 0.75


def test_actions_are_ordered_by_severity() -> None:
    assert max(Action) is Action.BLOCK
    assert sorted([Action.BLOCK, Action.REVIEW, Action.ALLOW]) == list(Action)
    assert [action for action in Action if action >= Action.REVIEW] == [Action.REVIEW, Action.BLOCK]
    assert [action for action in Action if action < Action.REVIEW or action <= Action.ALLOW] == [Action.ALLOW]
    assert Action.BLOCK > "allow"
    with pytest.raises(ValueError, match="'failed' is not a valid Action"):
        assert Action.BLOCK > "failed"


def test_an_action_is_compared_with_nothing_else() -> None:
    with pytest.raises(TypeError, match="not NoneType"):
        assert Action.ALLOW < None  # type: ignore[operator]
