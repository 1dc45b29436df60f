"""The page of decisions, opened from a file in a browser: sorted, filtered, masked and blurred, also on a phone."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

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
    two = (Image.new("RGB", (90, 60)), Image.new("RGB", (90, 60), "blue"))
    rows += [with_post(decision("several", 0.1), Post("", "", two[0], more_images=two[1:]))]
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


def beside(page: Page, path: Path) -> Page:
    """Opens another file in the same browser."""
    browser = page.context.browser
    assert browser is not None
    opened = browser.new_page()
    opened.goto(path.as_uri())
    return opened


def test_it_fits_a_phone_and_shows_more_on_the_way_down(page: Page) -> None:
    assert page.evaluate("document.documentElement.scrollWidth") <= 400
    assert page.locator("#count").inner_text() == "125 of 125 posts"
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
    assert page.locator("#count").inner_text() == "11 of 125 posts"
    page.fill("[name=find]", "")
    page.fill("[name=from]", "0.5")
    assert page.locator("li").count() == 1
    page.fill("[name=from]", "")


def test_a_label_finds_what_it_flags_or_sends_to_review_by_a_band(page: Page) -> None:
    page.select_option("[name=label]", "sexist")
    found = page.locator("li").all_inner_texts()
    assert (len(found), [any(id_ in text for text in found) for id_ in ("bad", "band")]) == (1, [True, False])
    page.select_option("[name=label]", "racist")
    assert page.locator("#count").inner_text() == "2 of 125 posts"
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


def test_all_images_are_shown_and_told_apart(page: Page) -> None:
    page.fill("[name=find]", "several")
    images = page.locator("li img")
    assert [image.get_attribute("alt") for image in images.all()] == [
        "Image 1 of 2 of the post, blurred",
        "Image 2 of 2 of the post, blurred",
    ]
    page.get_by_text("Show 2 images").click()
    assert images.evaluate_all("nodes => nodes.map(node => getComputedStyle(node).filter)") == ["none", "none"]
    page.fill("[name=find]", "")


def test_paper_holds_all_posts_up_to_a_bound_that_it_tells(page: Page, tmp_path: Path) -> None:
    page.reload()
    assert page.locator("li").count() < 125
    page.pdf()
    assert page.locator("li").count() == 125
    path = tmp_path / "many.html"
    write_page([decision(f"{n}") for n in range(1100)], path)
    many = beside(page, path)
    many.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert many.locator("#count").inner_text() == "1,100 of 1,100 posts; here are the first 1,000"
    assert many.locator("li").count() == 1000
    many.evaluate("dispatchEvent(new Event('afterprint'))")
    assert many.locator("#count").inner_text() == "1,100 of 1,100 posts"
    many.close()


def test_flags_and_lines_are_said_and_are_those_of_the_decision(page: Page, tmp_path: Path) -> None:
    just_below = LabelDecision(0.49999, 0.5, flagged=False, action=Action.ALLOW)
    path = tmp_path / "rounded.html"
    write_page([replace(decision("1", 0.1), labels={"racist": just_below})], path)
    rounded = beside(page, path)
    assert rounded.locator("li tr").text_content() == "racist0.50, not flagged, from 0.50"
    assert rounded.locator("tr.flagged").count() == 0
    rounded.close()


def test_data_that_cannot_be_read_is_told(page: Page, tmp_path: Path) -> None:
    path = tmp_path / "cut.html"
    write_page([decision("1")], path)
    path.write_text(path.read_text().replace('[{"id"', '[{"id'))
    cut = beside(page, path)
    assert "cannot read the data of this page" in cut.locator("#count").inner_text()
    cut.close()
