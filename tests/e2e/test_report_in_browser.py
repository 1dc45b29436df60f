"""The HTML report in a real Chromium: offline, readable, and careful with what it shows."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright
from tests.support.annotated_posts import write_posts
from tests.support.tiny_bundle import write_tiny_bundle

from crossguard.cli import run

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here; install it with: apt-get install chromium")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("report")
    write_tiny_bundle(folder / "tiny")
    posts = write_posts(folder / "posts.jsonl", posts=240)
    options = ["--model", str(folder / "tiny"), "--rounds", "50", "--out", str(folder / "run")]
    assert run(["evaluate", str(posts), *options]) == 0
    return folder / "run" / "report.html"


@pytest.fixture
def page(browser: Browser, report: Path) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 1100, "height": 900}, offline=True)
    page = context.new_page()
    page.goto(report.as_uri())
    yield page
    context.close()


def test_it_opens_offline_and_asks_for_nothing(browser: Browser, report: Path) -> None:
    page = browser.new_page()
    asked: list[str] = []
    problems: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: problems.append(message.text))
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.goto(report.as_uri())
    assert [url for url in asked if not url.startswith("data:")] == [report.as_uri()]
    assert problems == []
    page.close()


def test_every_label_has_its_charts_and_a_sentence_in_words(page: Page) -> None:
    for label in ("racist", "sexist", "homophobe", "religion"):
        section = page.locator(f"details#{label}")
        if section.get_attribute("open") is None:
            section.locator("> summary").click()
        assert section.locator("svg.chart:visible").count() == 4
        assert section.locator("p").first.inner_text().startswith("Of 100 posts flagged as")
    assert page.locator("details#otherhate").count() == 0, "nobody annotated it"


def test_charts_are_drawn_inside_their_frames(page: Page) -> None:
    for chart in page.locator("details[open] svg.chart").all():
        frame = chart.bounding_box()
        line = chart.locator("polyline").first.bounding_box()
        assert frame is not None
        assert line is not None
        assert line["width"] > 50
        assert frame["x"] <= line["x"] <= line["x"] + line["width"] <= frame["x"] + frame["width"]
        assert frame["y"] <= line["y"] <= line["y"] + line["height"] <= frame["y"] + frame["height"]


def test_words_are_masked_until_somebody_asks(page: Page) -> None:
    post = page.locator("details[open] .post", has=page.locator("summary")).first
    masked, words = post.locator("summary"), post.locator("details p")
    assert "*" in masked.inner_text()
    assert not words.is_visible()
    masked.click()
    assert words.is_visible()
    assert "*" not in words.inner_text()
    assert "*" not in masked.inner_text()
    post.get_by_text("Mask these words").click()
    assert "*" in masked.inner_text()
    assert not words.is_visible()


def test_images_are_blurred_until_somebody_asks(page: Page) -> None:
    while closed := page.locator("body > details:not([open]) > summary").all():
        closed[0].click()
    image = page.locator("details[open] .image").first
    shown = image.locator("img")
    assert "blur" in shown.evaluate("image => getComputedStyle(image).filter")
    assert shown.evaluate("image => image.naturalWidth") > 0
    image.locator("input").focus()
    page.keyboard.press("Space")
    assert shown.evaluate("image => getComputedStyle(image).filter") == "none"


@pytest.fixture(scope="module")
def pages(report: Path) -> dict[str, Path]:
    """All pages that measuring writes."""
    folder = report.parent.parent
    options = ["--model", str(folder / "tiny"), "--rounds", "10", "--out", str(folder / "audit")]
    assert run(["audit", str(folder / "posts.jsonl"), "--group-column", "group", *options]) == 0
    assert run(["compare", str(report.parent), str(report.parent), "--out", str(folder / "compare.html")]) == 0
    return {"report": report, "audit": folder / "audit" / "audit.html", "comparison": folder / "compare.html"}


@pytest.mark.parametrize("name", ["report", "audit", "comparison"])
def test_nothing_overflows_a_phone(browser: Browser, pages: dict[str, Path], name: str) -> None:
    page = browser.new_page(viewport={"width": 390, "height": 800})
    page.goto(pages[name].as_uri())
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert page.locator("h1").is_visible()
    assert page.locator("table").count() >= 1
    page.close()


@pytest.mark.parametrize("name", ["report", "audit"])
def test_print_has_every_column_and_label_and_keeps_posts_masked(
    browser: Browser, pages: dict[str, Path], name: str
) -> None:
    page = browser.new_page(viewport={"width": 1040, "height": 720})
    page.goto(pages[name].as_uri())
    page.emulate_media(media="print")
    assert page.evaluate("[...document.querySelectorAll('.scroll')].every(one => one.scrollWidth <= one.clientWidth)")
    assert all(chart.is_visible() for chart in page.locator("details.label svg.chart").all())
    assert not any(words.is_visible() for words in page.locator(".post details p").all())
    page.close()
