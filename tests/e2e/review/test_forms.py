"""The form of an item in a real browser: what its keys do, and what it says when something goes wrong."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Route
from tests.e2e.review.conftest import (
    VOTES,
    ConsoleThread,
    RunningConsole,
    Visit,
    at_first_item,
    item_of,
    log_in_again,
)

Answer = Callable[[Route], None]
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


PRESSED = """([key, code, shiftKey]) => document.body.dispatchEvent(
  new KeyboardEvent("keydown", { key, code, shiftKey, bubbles: true, cancelable: true }))"""


def test_keys_work_in_other_layouts_and_with_caps_lock(running: RunningConsole, visit: Visit) -> None:
    page = at_first_item(running, visit, 1)
    shown, racist = page.locator("details.text > p").first, page.locator("input[name='label.racist'][value=yes]")
    page.evaluate("document.body.dispatchEvent(new Event('keydown', { bubbles: true }))")  # as extensions send it
    page.evaluate(PRESSED, ["T", "KeyT", False])
    assert shown.is_visible(), "Caps Lock"
    page.evaluate(PRESSED, ["е", "KeyT", False])  # noqa: RUF001 - Cyrillic
    assert not shown.is_visible()
    page.evaluate(PRESSED, ["&", "Digit1", False])
    assert racist.is_checked(), "AZERTY"
    # Where QWERTY has the key of an action, AZERTY types "q", Dvorak "o" and ".", and QWERTY itself with Shift "!".
    for key, code, shift in (("q", "KeyA", False), ("o", "KeyS", False), (".", "KeyE", False), ("!", "Digit1", True)):
        page.evaluate(PRESSED, [key, code, shift])
    page.wait_for_timeout(500)
    assert page.evaluate("document.activeElement.name") == "label.racist"
    assert racist.is_checked()
    assert running.count("SELECT count(*) FROM votes") == 0
    page.evaluate(PRESSED, ["и", "KeyB", False])
    page.wait_for_selector("#undo:has-text('block')")
    assert running.count(VOTES) == 1


def test_a_refusal_without_the_form_leaves_the_form_as_it_is(running: RunningConsole, visit: Visit) -> None:
    page = at_first_item(running, visit, 1)
    page.fill("#decide textarea", "as they said")
    with running.store.write() as tx:
        tx.exec_driver_sql("""UPDATE people SET queues = '["appeals"]'""")
    page.click("button.action.block")
    page.wait_for_selector("#notice:has-text(\"was not taken: Your account does not include the queue 'main'\")")
    assert page.input_value("#decide textarea") == "as they said"
    with running.store.write() as tx:
        tx.exec_driver_sql("UPDATE people SET queues = NULL")
    page.click("button.action.block")
    page.wait_for_url("**/queues/main*")
    assert running.count("SELECT count(*) FROM votes WHERE comment = 'as they said'") == 1


def test_a_switch_goes_on_with_the_login_of_another_tab(running: RunningConsole, visit: Visit) -> None:
    page = at_first_item(running, visit, 1)
    page.fill("#decide textarea", "as they said")
    with running.store.write() as tx:
        tx.exec_driver_sql("DELETE FROM sessions")
    page.click("button.switch:has-text('Text')")
    page.wait_for_selector("#notice:has-text('log in again in another tab, then press the switch again')")
    log_in_again(page.context.new_page(), running)
    page.click("button.switch:has-text('Text')")
    page.wait_for_selector("button.switch[aria-pressed=true]:has-text('Text')")
    assert page.locator("#notice").inner_text() == ""
    page.click("button.action.block")
    page.wait_for_url("**/queues/main*")
    assert running.count("SELECT count(*) FROM votes WHERE comment = 'as they said'") == 1


# The next answer is sent when the test calls `release`, or its sending ends as the page's patience does.
HELD = """
own = window.fetch;
window.fetch = (url, how) => new Promise((done, fail) => {
  window.fetch = own;
  release = () => done(own(url, how));
  how.signal.addEventListener("abort", () => fail(how.signal.reason));
});
0"""
IMPATIENT = "AbortSignal.timeout = ((own) => () => own(200))(AbortSignal.timeout.bind(AbortSignal)); 0"


def test_a_slow_answer_says_that_it_waits(running: RunningConsole, visit: Visit) -> None:
    page = at_first_item(running, visit, 1)
    page.evaluate(HELD)
    page.keyboard.press("a")
    page.wait_for_selector("#notice:has-text('The server has not answered yet. Your answer is kept')")
    assert running.count(VOTES) == 0
    page.evaluate("release(); 0")
    page.wait_for_url("**/queues/main*")
    assert running.count(VOTES) == 1


def test_an_answer_that_nobody_answers_is_sent_again(running: RunningConsole, visit: Visit) -> None:
    page = at_first_item(running, visit, 1)
    page.evaluate(HELD)
    page.evaluate(IMPATIENT)
    page.keyboard.press("a")
    page.wait_for_selector("#notice:has-text('The server cannot be reached. Your answer is kept')")
    page.evaluate("AbortSignal.timeout = () => new AbortController().signal; 0")
    page.wait_for_url("**/queues/main*")
    assert running.count(VOTES) == 1


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (lambda route: route.abort(), "The server cannot be reached."),
        (lambda route: route.fulfill(status=500, body="Internal Server Error"), "the server answered 500."),
        (lambda route: route.fulfill(status=503, body="<p role=alert>The database is away.</p>"), "database is away."),
    ],
)
def test_an_explanation_that_fails_says_why(running: ConsoleThread, visit: Visit, answer: Answer, said: str) -> None:
    running.stop()
    running.settings = running.settings.model_copy(update={"model": "compact"})
    running.start()
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    page = at_first_item(running, visit, 1, before=lambda page: page.route("**/explanation", hold))
    page.keyboard.press("x")
    page.wait_for_selector("#explanation:has-text('The post is scored again without each of its words.')")
    while not held:
        page.wait_for_timeout(50)
    answer(held[0])
    page.wait_for_selector(f"#explanation:has-text('{said}')")
