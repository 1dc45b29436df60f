"""The form of an item in a real browser: what its keys do, and what it says when something goes wrong."""

from __future__ import annotations

import pytest
from tests.e2e.review.conftest import VOTES, RunningConsole, Visit, item_of

FIELDS = ("input[name='label.racist'][value=yes]", "input[name=alike]")


@pytest.mark.parametrize("javascript", [True, False])
def test_enter_alone_decides_nothing(running: RunningConsole, visit: Visit, javascript: bool) -> None:
    running.fill(3, "these people should all go back to where they came from")
    page = visit("Ann", java_script_enabled=javascript)
    page.goto(f"{running.url}/queues/main")
    page.click("button:has-text('Next item')")
    item_of(page)
    for field in FIELDS:
        page.locator(field).focus()
        page.keyboard.press("Space")
        page.keyboard.press("Enter")
        page.wait_for_timeout(500)
        assert page.locator(field).is_checked()
        assert page.locator("text=Choose an action: allow, block.").count() == (0 if javascript else 1)
    assert running.count(VOTES) == 0
    page.locator("button.action.block").focus()
    page.keyboard.press("Enter")
    page.wait_for_url("**/queues/main*")
    assert running.count(VOTES) == 3, "the item and both that are alike"
