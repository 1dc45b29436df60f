"""Whole days in a real browser: two reviewers, keyboard only, appeals, a phone, no JavaScript, and bad days."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx2
import pytest
from axe_playwright_python.sync_playwright import Axe
from PIL import Image
from playwright.sync_api import Page
from tests.e2e.review.conftest import (
    PASSWORD,
    VOTES,
    ConsoleProcess,
    ConsoleThread,
    RunningConsole,
    Visit,
    at_first_item,
    item_of,
    join,
    log_in_again,
    next_item,
)
from tests.support.pictures import data_url, encoded
from tests.support.postgres import PostgresServer
from tests.support.server import RunningServer

from crossguard.bundle import Bundle
from crossguard.review.roles import Role
from crossguard.review.store.database import Database

# axe's "serious" and "critical" are what keeps people out.
SERIOUS = {"serious", "critical"}
ON_BOTH = pytest.mark.parametrize("engine", ["sqlite", "postgresql"])


def serious(page: Page) -> list[Any]:
    found = Axe().run(page, options={"resultTypes": ["violations"]}).response["violations"]
    return [(entry["id"], entry["nodes"][0]["html"]) for entry in found if entry["impact"] in SERIOUS]


@ON_BOTH
def test_two_reviewers_by_keyboard_alone(running: RunningConsole, visit: Visit) -> None:
    running.fill(6)
    ann, ben = visit("Ann"), visit("Ben")
    seen = [next_item(page, running) for page in (ann, ben)]
    assert len(set(seen)) == 2, "nobody gets the item of another"
    ann.keyboard.press("1")
    assert ann.locator("input[name='label.racist'][value=yes]").is_checked()
    ann.keyboard.press("b")
    ann.wait_for_selector("#undo:has-text('block')")
    assert item_of(ann) not in seen
    assert running.count(VOTES) == 1
    ann.keyboard.press("u")
    ann.wait_for_url(f"**/items/{seen[0]}*")
    assert running.count(VOTES) == 0
    ann.keyboard.press("a")
    ann.wait_for_selector("#undo:has-text('allow')")
    ann.keyboard.press("s")
    ann.keyboard.press("ArrowDown")
    ann.keyboard.press("Escape")
    ann.keyboard.press("s")
    ann.wait_for_selector("#undo:has-text('skip')")
    ben.keyboard.press("e")
    ben.wait_for_selector("#undo:has-text('escalate')")
    assert running.count("SELECT count(*) FROM items WHERE queue = 'escalated'") == 1
    ben.keyboard.press("?")
    assert ben.locator("#shortcuts").is_visible()


def test_the_last_answer_of_a_queue_is_taken_back_by_its_key(running: RunningConsole, visit: Visit) -> None:
    ann = at_first_item(running, visit, 1)
    own = item_of(ann)
    ann.keyboard.press("a")
    ann.wait_for_url("**/queues/main*")
    ann.keyboard.press("u")
    ann.wait_for_url(f"**/items/{own}*")
    assert running.count(VOTES) == 0


def test_text_and_images_have_separate_switches(running: RunningConsole, visit: Visit) -> None:
    running.fill(1)
    page = visit("Ann")
    page.goto(f"{running.url}/items/1")
    words = page.locator("details.text > p").first
    assert not words.is_visible()
    page.keyboard.press("t")
    assert words.is_visible()
    page.click("button.switch:has-text('Text')")
    page.wait_for_selector("button.switch[aria-pressed=true]:has-text('Text')")
    assert page.locator("button.switch[aria-pressed=false]:has-text('Images')").count() == 1
    assert page.locator("details.text > p").first.is_visible()


def test_a_switch_costs_no_answer_that_is_not_sent_yet(running: RunningConsole, visit: Visit) -> None:
    page = at_first_item(running, visit, 1)
    page.keyboard.press("1")
    page.fill("#decide textarea", "as they said")
    words = page.locator("details.text > p").first
    for on in (True, False):
        page.click("button.switch:has-text('Text')")
        page.wait_for_selector(f"button.switch[aria-pressed={str(on).lower()}]:has-text('Text')")
        assert words.is_visible() is on
    page.click("button.switch:has-text('Images')")
    page.wait_for_selector("button.switch[aria-pressed=true]:has-text('Images')")
    page.click("button.action.block")
    page.wait_for_url("**/queues/main*")
    assert running.count("SELECT count(*) FROM votes WHERE comment = 'as they said' AND action = 'block'") == 1
    page.goto(f"{running.url}/me")
    assert page.locator("button.switch[aria-pressed=true]:has-text('Images')").count() == 1


def test_words_in_a_screenshot_can_be_read_and_the_form_stays_near(running: RunningConsole, visit: Visit) -> None:
    running.fill(1, images=[data_url(encoded(Image.new("RGB", (1080, 2400), (10, 200, 90)), "PNG"))])
    page = visit("Ann", viewport={"width": 1280, "height": 720})
    page.goto(f"{running.url}/items/1")
    sizes = "[...document.querySelectorAll('.image, .image img')].map((one) => [one.clientWidth, one.clientHeight])"
    blurred = page.evaluate(sizes)
    page.keyboard.press("i")
    (_, height), (width, _) = page.evaluate(sizes)
    assert width > 600
    assert height < 720, "the rest is scrolled to"
    assert serious(page) == []
    with page.expect_popup() as opened:
        page.click("text=full size")
    alone = opened.value
    alone.wait_for_load_state()
    assert alone.evaluate("document.images[0].clientWidth") == 1080
    assert serious(alone) == []
    alone.set_viewport_size({"width": 360, "height": 640})
    assert alone.evaluate("document.images[0].clientWidth") == 1080
    for key in ("End", "ArrowRight"):
        alone.keyboard.press(key)
        alone.wait_for_timeout(1000)
    assert alone.evaluate("scrollX > 0 && scrollY > 1000")
    page.keyboard.press("i")
    assert page.evaluate(sizes) == blurred


def test_a_flat_image_does_not_scroll(running: RunningConsole, visit: Visit) -> None:
    running.fill(1, images=[data_url(encoded(Image.new("RGB", (300, 10), (10, 200, 90)), "PNG"))])
    page = visit("Ann")
    page.goto(f"{running.url}/items/1")
    page.keyboard.press("i")
    image = page.locator(".image")
    assert image.evaluate("(image) => [image.scrollWidth, image.scrollHeight]") == [300, 10]


def test_a_switch_shows_and_hides_all_words_and_images_of_a_page(running: RunningConsole, visit: Visit) -> None:
    picture = data_url(encoded(Image.new("RGB", (90, 60), (10, 200, 90)), "PNG"))
    running.fill(2, "these people should all go back to where they came from", images=[picture])
    with running.store.write() as tx:
        tx.exec_driver_sql("UPDATE items SET text = text || ' vermin' WHERE id = 2")
    page = visit("Ann")
    next_item(page, running)
    difference, earlier = page.locator(".alike li"), page.locator(".earlier li")
    for on in (True, False):
        page.click("button.switch:has-text('Text')")
        page.wait_for_selector(f"button.switch[aria-pressed={str(on).lower()}]:has-text('Text')")
        assert ("vermin" in difference.inner_text()) is on
        assert ("vermin" in earlier.inner_text()) is on
    for name, kind in (("Images", "clear"), ("Colours", "coloured")):
        page.click(f"button.switch:has-text('{name}')")
        page.wait_for_selector(f"button.switch[aria-pressed=true]:has-text('{name}')")
        assert page.locator(f".thumbnail.{kind}").count() == 1


def test_skipping_and_escalating_cost_nothing_that_was_filled_in(running: RunningConsole, visit: Visit) -> None:
    page = at_first_item(running, visit, 1)
    page.keyboard.press("1")
    page.fill("#decide textarea", "a quotation, I think")
    page.click("button:has-text('Skip')")
    page.wait_for_timeout(500)
    assert page.locator("input[name='label.racist'][value=yes]").is_checked(), (
        "no reason was chosen, so nothing is sent"
    )
    page.keyboard.press("Escape")
    page.keyboard.press("e")
    page.wait_for_selector("#undo:has-text('escalate')")
    assert running.count("SELECT count(*) FROM votes WHERE comment = 'a quotation, I think' AND kind = 'escalate'") == 1


@ON_BOTH
def test_an_appeal_comes_by_api_and_goes_to_another_person(running: RunningConsole, visit: Visit) -> None:
    ann, ben = at_first_item(running, visit, 1), visit("Ben")
    ann.keyboard.press("b")
    ann.wait_for_selector("text=You answered no to every label.")
    ann.keyboard.press("1")
    ann.keyboard.press("b")
    ann.wait_for_url("**/queues/main*")
    headers = {"authorization": f"Bearer {running.key()}"}
    body = {"id": "a1", "post": "0", "reason": "It was a quotation <b>here</b>."}
    assert httpx2.post(f"{running.url}/api/appeals", json=body, headers=headers).is_success
    ann.goto(f"{running.url}/queues/appeals")
    ann.keyboard.press("n")
    ann.wait_for_url("**/queues/appeals*nothing*")
    next_item(ben, running, "appeals")
    assert ben.locator("text=It was a quotation <b>here</b>.").count() == 1
    ben.keyboard.press("a")
    ben.wait_for_url("**/queues/appeals*")
    assert running.count("SELECT count(*) FROM deliveries WHERE event = 'appeal.decided'") == 1


def test_suggestions_of_perspectives_clients_become_votes(running: ConsoleThread, tiny_bundle: Bundle) -> None:
    console: dict[str, Any] = {"review_queue": running.url, "review_key": running.key(), "review_source": "forum"}
    body = {"comment": {"text": "hello"}, "attributeScores": {"TOXICITY": {"summaryScore": {"value": 0.9}}}}
    with RunningServer(tiny_bundle.folder, drain_s=0, **console) as server, server.client() as client:
        for community in ("one", "two", "two"):
            answer = client.post("/v1alpha1/comments:suggestscore", json=body | {"communityId": community})
            assert answer.headers["x-crossguard-stored"] == "true"
    # A service that stops hands over what waits.
    with running.store.read() as db:
        assert list(db.exec_driver_sql("SELECT source, text FROM items")) == [("forum", "hello")]
        found = db.exec_driver_sql("SELECT labels FROM votes WHERE kind = 'suggest'").scalars()
        assert list(found) == ['{"TOXICITY": 0.9}'] * 2, "one vote for each who suggests"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious(running: RunningConsole, visit: Visit, scheme: str) -> None:
    running.fill(3, "these people should all go back to where they came from")
    page = visit("Ada", Role.ADMIN, color_scheme=scheme)
    found = {}
    for path in ("/", "/queues/main", "/me", "/quality", "/log", "/people"):
        page.goto(running.url + path)
        found[path] = serious(page)
    next_item(page, running)
    page.click("fieldset.alike summary")
    assert page.locator("fieldset.alike li").count() == 2
    found["/items"] = serious(page)
    assert {path: problems for path, problems in found.items() if problems} == {}


def test_nothing_is_wider_than_a_phone(running: RunningConsole, visit: Visit) -> None:
    running.fill(3, source="s" * 64)
    page = visit("Ada", Role.ADMIN, viewport={"width": 360, "height": 740}, has_touch=True)
    for path in ("/", "/queues/main", "/me", "/quality", "/log", "/people", "/items/1"):
        page.goto(running.url + path)
        page.evaluate("document.querySelectorAll('details').forEach((part) => { part.open = true; })")
        assert page.evaluate("document.documentElement.scrollWidth") <= 360, path
        tops = page.eval_on_selector_all("header.bar > *", "parts => parts.map(p => p.offsetTop >> 5)")
        assert tops == [0, 0, 1, 1], "brand and pages; switches and log out"
    page.goto(f"{running.url}/queues/main")
    page.click("button:has-text('Next item')")
    item_of(page)
    page.check("input[name='label.racist'][value=yes]")
    page.click("button.action.block")
    page.wait_for_selector("#undo")
    assert running.count(VOTES) == 1


def test_long_names_and_addresses_are_no_wider_than_a_phone(running: ConsoleThread, visit: Visit) -> None:
    running.stop()
    long = {"labels": ("racist", "harassment_of_a_public_figure__x"), "actions": ("allow", "b" * 32)}
    running.settings = running.settings.model_copy(update=long)
    running.start()
    running.fill(2, "these people should all go back", images=[f"https://example.org/{'x' * 300}"])
    page = visit("Ada", Role.LEAD, viewport={"width": 360, "height": 740})
    page.goto(f"{running.url}/queues/main")
    page.click("button:has-text('Next item')")
    item = item_of(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    rows = page.locator(".scores tbody tr, .answers thead tr")
    assert max(rows.evaluate_all("all => all.map((row) => row.offsetHeight)")) < 40, "no short word or number is broken"
    page.fill("#decide textarea", f"see https://example.org/{'why-quoting-is-not-endorsing-' * 4}?utm_source=x")
    page.click(f"button.action.{'b' * 32}")
    page.wait_for_selector("#undo")
    page.goto(f"{running.url}/items/{item}")
    assert page.locator("text=why-quoting").count() == 1
    page.evaluate("document.querySelectorAll('details').forEach((part) => { part.open = true; })")
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    wide = "[...document.querySelectorAll('.card')].filter((card) => card.scrollWidth > card.clientWidth).length"
    assert page.evaluate(wide) == 0


def test_reading_and_deciding_without_javascript(running: RunningConsole, visit: Visit) -> None:
    running.fill(2)
    page = visit("Ann", java_script_enabled=False)
    page.goto(f"{running.url}/queues/main")
    assert page.locator("ul.list li").count() == 2
    assert not page.locator("#help, kbd").filter(visible=True).count(), "no hints of keys that do nothing"
    page.click("button:has-text('Next item')")
    first = item_of(page)
    page.click("details.text summary")
    assert page.locator("details.text > p").first.is_visible()
    page.click("button.action.allow")
    assert item_of(page) != first
    page.click("#undo button")
    assert item_of(page) == first


def answer_in_vain(page: Page) -> None:
    """Answers while nobody can take it."""
    page.keyboard.press("1")
    page.keyboard.press("b")
    page.wait_for_selector("#notice:has-text('kept in this browser')")


def test_an_answer_waits_in_the_browser_while_the_console_is_away(running: ConsoleThread, visit: Visit) -> None:
    page = at_first_item(running, visit, 3)
    first = item_of(page)
    running.stop()
    answer_in_vain(page)
    assert running.count(VOTES) == 0
    running.start()
    page.wait_for_selector("#undo:has-text('block')")
    assert item_of(page) != first
    assert running.count(VOTES) == 1


def votes_get(status: int, body: str) -> Callable[[Page], object]:
    """Returns what lets something between browser and console answer for it."""
    return lambda page: page.route("**/vote*", lambda route: route.fulfill(status=status, body=body))


def test_an_answer_waits_while_something_in_between_refuses_it(running: ConsoleThread, visit: Visit) -> None:
    page = at_first_item(running, visit, 3, votes_get(403, "<h1>Forbidden by the gateway</h1>"))
    first = item_of(page)
    page.fill("#decide textarea", "as they said")
    page.click("button.action.block")
    page.wait_for_selector("#notice:has-text('answered 403 without a page of the console. Your answer is kept')")
    assert page.input_value("#decide textarea") == "as they said"
    assert page.evaluate("localStorage.length") == 1
    page.unroute("**/vote*")
    page.wait_for_selector("#undo:has-text('block')")
    assert item_of(page) != first
    assert running.count(VOTES) == 1


def test_an_answer_that_waited_stays_while_something_in_between_answers(running: ConsoleThread, visit: Visit) -> None:
    page = at_first_item(running, visit, 1, votes_get(200, "<h1>Checking your browser</h1>"))
    page.keyboard.press("a")
    page.wait_for_selector("#notice:has-text('answered 200 without a page of the console')")
    page.goto(f"{running.url}/queues/main", wait_until="networkidle")
    assert page.evaluate("localStorage.length") == 1
    assert page.locator("#notice").inner_text() == ""
    page.unroute("**/vote*")
    page.reload()
    page.wait_for_selector("#notice:has-text('has been sent')")
    assert running.count(VOTES) == 1


def test_an_answer_is_sent_where_the_browser_keeps_nothing(running: ConsoleThread, visit: Visit) -> None:
    page = at_first_item(running, visit, 1)
    page.evaluate("Storage.prototype.setItem = () => { throw new DOMException('full', 'QuotaExceededError'); }; 0")
    page.keyboard.press("a")
    page.wait_for_url("**/queues/main*")
    assert running.count(VOTES) == 1


@pytest.mark.parametrize("engine", ["postgresql"])
def test_an_answer_waits_while_the_database_is_away(
    running: ConsoleThread, visit: Visit, postgres: PostgresServer
) -> None:
    page = at_first_item(running, visit, 3)
    first = item_of(page)
    postgres.stop()
    answer_in_vain(page)
    other = page.context.new_page()
    answer = other.goto(f"{running.url}/queues/main")
    assert answer is not None
    assert answer.status == 503
    assert other.locator("h1").inner_text() == "The database is away"
    # The page is closed and comes back later: what waits is in the browser, not in the page.
    page.close()
    postgres.start()
    other.goto(f"{running.url}/queues/main")
    other.wait_for_selector("#notice:has-text('has been sent')")
    with running.store.read() as db:
        assert list(db.exec_driver_sql("SELECT item FROM votes WHERE undone_at IS NULL").scalars()) == [first]


def test_an_answer_that_waited_and_is_not_taken_says_why(running: ConsoleThread, visit: Visit) -> None:
    page = at_first_item(running, visit, 1)
    item = item_of(page)
    page.fill("#decide textarea", "as they said")
    running.stop()
    page.click("button.action.block")
    page.wait_for_selector("#notice:has-text('kept in this browser')")
    other = page.context.new_page()
    page.close()
    with running.store.write() as tx:
        tx.exec_driver_sql("UPDATE items SET state = 'erased'")
    running.start()
    other.goto(f"{running.url}/queues/main")
    other.wait_for_selector(f"#notice:has-text('to item {item}, was not taken: The content of this item was deleted')")
    assert other.locator("#notice").inner_text().endswith("Your comment was: as they said")
    assert running.count(VOTES) == 0


def test_an_answer_is_not_sent_to_another_console_at_the_same_address(
    running: ConsoleThread, visit: Visit, tmp_path: Path
) -> None:
    page = at_first_item(running, visit, 1)
    running.stop()
    answer_in_vain(page)
    other = page.context.new_page()
    page.close()
    running.store = Database.open(str(tmp_path / "other.sqlite"))
    running.start()
    running.fill(1)
    join(other, running, "Ann").goto(f"{running.url}/queues/main", wait_until="networkidle")
    assert other.locator("#notice").inner_text() == ""
    assert running.count(VOTES) == 0
    running.store.close()


def test_what_another_tab_has_sent_is_not_kept_again(running: ConsoleThread, visit: Visit) -> None:
    page = at_first_item(running, visit, 1)
    running.stop()
    answer_in_vain(page)
    page.evaluate("localStorage.clear()")
    page.wait_for_selector("#notice:has-text('sent from another tab')")
    assert page.evaluate("localStorage.length") == 0
    running.start()


def test_a_login_that_ends_costs_no_comment(running: ConsoleThread, visit: Visit) -> None:
    page = at_first_item(running, visit, 1)
    page.keyboard.press("1")
    page.fill("#decide textarea", "as they said")
    with running.store.write() as tx:
        tx.exec_driver_sql("DELETE FROM sessions")
    page.evaluate("htmx.ajax('POST', `${location.pathname}/renew`, '.lease').catch(() => {})")
    page.wait_for_selector("#notice:has-text('log in again in another tab')")
    assert page.locator(".lease").inner_text() == ""
    log_in_again(page.context.new_page(), running)
    page.click("button.action.block")
    page.wait_for_url("**/queues/main*")
    assert running.count("SELECT count(*) FROM votes WHERE comment = 'as they said' AND action = 'block'") == 1


def test_killed_in_the_middle_of_votes_nothing_is_lost_or_doubled(process: ConsoleProcess) -> None:
    """Votes over HTTP while the process is killed again and again; each is sent until it is answered."""
    process.fill(12)
    with httpx2.Client(base_url=process.url, follow_redirects=False, timeout=60) as client:
        link = process.person("Ann")
        client.post(link, data={"password": PASSWORD, "again": PASSWORD})
        token = client.get("/").text.split('name="csrf" content="')[1].split('"')[0]
        answered = []
        for turn in range(12):
            sent = {"csrf": token, "action": "block", "label.racist": "yes", "submission": f"turn{turn}"}
            if turn == 5:
                process.kill()
                process.start()
            item = client.post("/queues/main/next", data={"csrf": token}).headers["location"].split("?")[0]
            if turn == 2:
                # Killed while the vote is on its way: it may have been recorded or not, so it is sent again.
                process.process.kill()
                with contextlib.suppress(httpx2.TransportError):
                    client.post(f"{item}/vote", data=sent)
                process.process.wait()
                process.start()
            answer = client.post(f"{item}/vote", data=sent)
            assert answer.status_code == 303, answer.text
            answered.append(item)
    assert len(set(answered)) == 12
    assert process.count(VOTES) == 12
    assert process.count("SELECT count(*) FROM items WHERE state = 'decided'") == 12
    assert process.count("SELECT count(*) FROM deliveries") == 12
