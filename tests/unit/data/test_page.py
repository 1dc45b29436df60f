"""The page of decisions: what it masks, what it leaves out, and that a post cannot break out of it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from crossguard.data.page import page, with_post, write_page
from crossguard.errors import OutputError
from crossguard.records import Action, Decision, LabelDecision, Post, PostFailure


def decision(id_: str, score: float, **more: Any) -> Decision:
    action = Action.BLOCK if score >= 0.5 else Action.ALLOW
    labels = {"racist": LabelDecision(score, 0.5, score >= 0.5, action)}
    return Decision(id_, labels, action, 1.0, "compact", "1", "default", "2", **more)


def rows(document: str) -> list[dict[str, Any]]:
    return [row for block in blocks(document, 'class="rows"') for row in block]


def blocks(document: str, attribute: str) -> list[Any]:
    return [
        json.loads(found)
        for found in re.findall(f'<script type="application/json" {attribute}>(.*)</script>', document)
    ]


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
    assert flagged["labels"] == {"racist": [0.9, 0.5, "block", True]}


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


def test_an_image_that_cannot_be_read_is_told_in_its_place_and_once() -> None:
    post = Post("1", "words", image="vermin/nowhere.png")
    assert with_post(decision("1", 0.1), post).input == {
        "text": "words",
        "thumbnail_error": "An image cannot be shown (image_not_found).",
    }
    broken = PostFailure("image_not_found", "No such image: 'vermin/nowhere.png'.")
    failed = Decision("1", {}, None, None, "m", "1", "p", "1", error=broken)
    (row,) = rows(page([with_post(failed, post)], "t"))
    assert (row["error"], "no_image" in row) == (broken.message, False)
    assert row["masked_error"] == "No such image: 'v*****************'."


def test_all_images_of_a_post_are_shown() -> None:
    first, second = Image.new("RGB", (9, 6), "red"), Image.new("RGB", (9, 6), "blue")
    posts = [Post("1", image=first), Post("2", "words"), Post("3", image=first, more_images=(second, first))]
    document = page([with_post(decision(post.id, 0.1), post) for post in posts], "t")
    assert [row.get("images") for row in rows(document)] == [0, None, 1]
    (one,), (three,) = (blocks(document, f'id="images-{place}"') for place in range(2))
    assert (len(one), len(three), len(set(three))) == (1, 3, 2)


def test_no_text_that_a_browser_parses_at_once_grows_with_the_posts() -> None:
    """No string of V8 may be longer than 512 MB, as all posts with their images were."""
    picture = {"thumbnails": ["data:image/jpeg;base64," + "A" * 10_000]}
    document = page([decision(str(n), 0.1, input=picture) for n in range(1200)], "t")
    assert len(rows(document)) == 1200
    assert max(len(found) for found in re.findall("<script.*</script>", document)) < 100_000


def test_a_page_is_written_while_its_posts_are_read(tmp_path: Path) -> None:
    """All posts with their images may be larger than the memory."""
    path, picture = tmp_path / "page.html", {"thumbnails": ["data:image/jpeg;base64," + "A" * 10_000]}

    def posts() -> Iterator[Decision]:
        yield from (decision(str(n), 0.1, input=picture) for n in range(100))
        assert path.stat().st_size > 90 * 10_000

    write_page(posts(), path)
    assert path.read_text() == page(posts(), "page.html")


def test_a_page_that_cannot_be_written_is_told() -> None:
    with pytest.raises(OutputError, match="Cannot write '/dev/full': No space left"):
        write_page([decision("1", 0.1)], Path("/dev/full"))


def test_a_label_is_flagged_as_the_decision_says_however_its_numbers_are_rounded() -> None:
    just_below = LabelDecision(0.49999, 0.5, flagged=False, action=Action.ALLOW)
    (row,) = rows(page([replace(decision("1", 0.1), labels={"racist": just_below})], "t"))
    assert row["labels"]["racist"] == [0.5, 0.5, "allow", False]


def test_an_attribute_that_asks_for_the_action_is_told() -> None:
    asked = decision("1", 0.1, input={"text": "vermin"}, attributes={"threat": 0.92}, decided_by=("threat",))
    (row,) = rows(page([replace(asked, action=Action.BLOCK)], "t"))
    assert (row["asked_by"], row["masked"]) == ({"threat": 0.92}, "v*****")
