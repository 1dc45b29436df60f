"""The page of decisions, opened from a file in a browser: sorted, filtered, masked and blurred, also on a phone."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace

import pytest
from PIL import Image
from playwright.sync_api import Page, sync_playwright
from tests.support.decisions import decision, failed

from crossguard.data.page import with_post, write_page
from crossguard.records import Action, LabelDecision, Post

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here; install it with: apt-get install chromium")

ARABIC, HEBREW = "صباح الخير! (نعم)", "שלום לכם, חברים!"
HOSTILE = "</script><img src=x onerror=alert(1)> you are vermin"


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    path = tmp_path_factory.mktemp("page") / "page.html"
    rows = [with_post(decision(f"{n:020}", n / 300), Post("", f"good morning {n}")) for n in range(120)]
    rows += [with_post(decision("bad", 0.9), Post("", HOSTILE, Image.new("RGB", (90, 60), "red"), "OTHER VERMIN"))]
    rows += [with_post(decision("rtl", 0.1), Post("", ARABIC, Image.new("RGB", (90, 60)), HEBREW))]
    low = decision("band", 0.1)
    by_a_band = LabelDecision(0.1, 0.5, flagged=False, action=Action.REVIEW)
    rows += [replace(low, labels={**low.labels, "racist": by_a_band}, action=Action.REVIEW)]
    write_page([*rows, failed("broken")], path)
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        opened = browser.new_page(viewport={"width": 400, "height": 800})
        problems: list[str] = []
        opened.on("console", lambda message: problems.append(message.text))
        opened.on("pageerror", lambda error: problems.append(str(error)))
        asked: list[str] = []
        opened.on("request", lambda request: asked.append(request.url))
        opened.goto(path.as_uri())
        opened.wait_for_selector("li")
        yield opened
        assert problems == []
        assert [url for url in asked if not url.startswith(("file:", "data:"))] == []
        browser.close()


def test_it_fits_a_phone_and_shows_more_on_the_way_down(page: Page) -> None:
    assert page.evaluate("document.documentElement.scrollWidth") <= 400
    assert page.locator("#count").inner_text() == "124 of 124 posts"
    assert page.locator("li").count() < 122
    page.locator("#more").scroll_into_view_if_needed()
    page.locator("li").nth(50).wait_for(state="attached")


def test_it_sorts_and_filters(page: Page) -> None:
    page.select_option("[name=order]", "score")
    assert "bad" in page.locator("li").first.inner_text()
    page.select_option("[name=action]", "failed")
    assert page.locator("li").count() == 1
    page.select_option("[name=action]", "")
    page.fill("[name=find]", "morning 7")
    assert page.locator("#count").inner_text() == "11 of 124 posts"
    page.fill("[name=find]", "")
    page.fill("[name=from]", "0.5")
    assert page.locator("li").count() == 1
    page.fill("[name=from]", "")


def test_a_label_finds_what_it_flags_or_sends_to_review_by_a_band(page: Page) -> None:
    page.select_option("[name=label]", "sexist")
    found = page.locator("li").all_inner_texts()
    assert (len(found), [any(id_ in text for text in found) for id_ in ("bad", "band")]) == (1, [True, False])
    page.select_option("[name=label]", "racist")
    assert page.locator("#count").inner_text() == "2 of 124 posts"
    page.select_option("[name=label]", "")


def test_words_and_images_are_hidden_until_asked_for(page: Page) -> None:
    page.fill("[name=find]", "vermin")
    post = page.locator("li").first
    assert "vermin" not in post.inner_text().lower()
    assert "blur" in post.locator("img").evaluate("image => getComputedStyle(image).filter")
    post.get_by_text("Show image").click()
    assert post.locator("img").evaluate("image => getComputedStyle(image).filter") == "none"
    post.get_by_text("Show text").click()
    assert HOSTILE in post.inner_text()
    assert "OTHER VERMIN" in post.inner_text()
    post.get_by_text("Hide text").click()
    assert "vermin" not in post.inner_text().lower()


def test_text_that_runs_from_right_to_left_is_laid_out_so(page: Page) -> None:
    page.fill("[name=find]", "الخير")
    post = page.locator("li").first
    assert "In the image: " + HEBREW in post.inner_text()
    directions = "nodes => nodes.map(node => getComputedStyle(node).direction)"
    assert post.locator(".text, .words").evaluate_all(directions) == ["rtl", "rtl"]
    page.fill("[name=find]", "morning 7")
    assert page.locator("li .text").first.evaluate("node => getComputedStyle(node).direction") == "ltr"
