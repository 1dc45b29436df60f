"""Plots in a real browser: whatever their numbers and names, nothing of them is cut off."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Browser

from crossguard.evaluation.estimates import Estimate
from crossguard.review.pages.app import STATIC
from crossguard.review.pages.templating import environment
from crossguard.review.quality.reading import AGES

CUT = """[...document.querySelectorAll("svg.plot text")].filter((text) => {
  const {x, y, width, height} = text.getBBox(), {width: all, height: tall} = text.closest("svg").viewBox.baseVal;
  return x < 0 || x + width > all + 0.5 || y < -4 || y + height > tall + 2;
}).map((text) => text.textContent)"""
plots: Any = environment().get_template("plots.html.j2").module
FOUND = Estimate(0.00012, 0.00005, 0.00023, count=112345)
LABELS = ("racist", "homophobe", "harassment_of_a_public_figure__x", "W" * 32, "仇" * 32)
DAYS = [f"11-{day:02}" for day in range(1, 31)]


@pytest.mark.parametrize(
    "drawn",
    [
        *(plots.intervals("one label", [(label, FOUND)], low) for label in LABELS for low in (0.0, -1.0)),
        plots.intervals("labels", [(label, Estimate.undefined("no allowed post was decided")) for label in LABELS]),
        plots.bars("days", [(day, 112345) for day in DAYS]),
        plots.bars("ages", [(age, 1234567) for age, _ in AGES]),
        plots.series("days", [(day, FOUND) for day in DAYS]),
    ],
)
def test_no_number_or_name_is_cut_off(browser: Browser, drawn: str) -> None:
    page = browser.new_page(viewport={"width": 420, "height": 800})
    page.set_content(f"<style>{(STATIC / 'review.css').read_text()}</style>{drawn}")
    assert page.evaluate(CUT) == []
    page.close()
