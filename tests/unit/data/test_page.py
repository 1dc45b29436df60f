"""The page of decisions: what it masks, what it leaves out, and that a post cannot break out of it."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import Any

from crossguard.data.page import page, with_post
from crossguard.records import Action, Decision, LabelDecision, Post, PostFailure


def decision(id_: str, score: float, **more: Any) -> Decision:
    action = Action.BLOCK if score >= 0.5 else Action.ALLOW
    labels = {"racist": LabelDecision(score, 0.5, score >= 0.5, action)}
    return Decision(id_, labels, action, 1.0, "compact", "1", "default", "2", **more)


def rows(document: str) -> list[dict[str, Any]]:
    found = re.search(r'\{"rows": .*\}', document)
    assert found is not None
    shown: list[dict[str, Any]] = json.loads(found[0])["rows"]
    return shown


def test_flagged_posts_and_those_that_nobody_judged_have_a_masked_form() -> None:
    flagged, allowed = rows(
        page([decision("1", 0.9, input={"text": "vermin"}), decision("2", 0.1, input={"text": "hello"})], "t")
    )
    assert (flagged["text"], flagged["masked"]) == ("vermin", "v*****")
    assert (allowed["text"], "masked" in allowed) == ("hello", False)
    broken = PostFailure("image_not_found", "No such image.")
    unscored = Decision("3", {}, None, None, "m", "1", "p", "1", error=broken, input={"text": "vermin"})
    (failed,) = rows(page([unscored], "t"))
    assert failed["masked"] == "v*****", "nobody judged it"
    assert flagged["labels"] == {"racist": [0.9, 0.5, "block"]}


def test_a_post_cannot_end_the_script_and_a_title_is_text() -> None:
    document = page([decision("</script><b>", 0.1)], "<i>title")
    assert "</script><b>" not in document
    assert "<i>title" not in document
    assert rows(document)[0]["id"] == "</script><b>"


def test_failures_and_versions_are_told() -> None:
    failed = Decision("3", {}, None, None, "compact", "1", "default", "2", error=PostFailure("x", "No words."))
    document = page([failed, decision("1", 0.9)], "t")
    assert rows(document)[0]["error"] == "No words."
    assert "2 posts: 1 failed, 1 block." in document
    assert "Model compact 1, policy default 2." in document
    assert "1 post: 1 failed." in page([failed], "t")


def test_an_image_that_cannot_be_read_is_told_in_its_place() -> None:
    shown = with_post(decision("1", 0.1), Post("1", "words", image="nowhere.png"))
    assert shown.input["text"] == "words"
    assert "nowhere.png" in shown.input["thumbnail_error"]


def test_an_attribute_that_asks_for_the_action_is_told() -> None:
    asked = decision("1", 0.1, input={"text": "vermin"}, attributes={"threat": 0.92}, decided_by=("threat",))
    (row,) = rows(page([replace(asked, action=Action.BLOCK)], "t"))
    assert (row["asked_by"], row["masked"]) == ({"threat": 0.92}, "v*****")
