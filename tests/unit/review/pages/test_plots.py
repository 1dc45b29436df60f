"""Plots: escaped, and to scale."""

from __future__ import annotations

import re
from typing import Any

from crossguard.evaluation.estimates import Estimate
from crossguard.review.pages.templating import environment

plots: Any = environment().get_template("plots.html.j2").module


def test_names_are_escaped_and_undefined_rows_say_so() -> None:
    drawn = plots.intervals("A <title>", [("<b>", Estimate(None), None), ("known", Estimate(0.5, 0.4, 0.6), 0.9)])
    assert "<b>" not in drawn
    assert 'aria-label="A &lt;title&gt;"' in drawn
    assert "too few answers" in drawn
    assert ">all answers alike</text>" in plots.intervals("t", [("a", Estimate.undefined("all answers alike"))])
    assert drawn.count("<circle") == drawn.count('class="whisker"') == drawn.count('class="reference"') == 1


def test_every_plot_has_its_numbers_in_a_table() -> None:
    rows = [("a", Estimate(0.25, 0.1, 0.5, count=1200), 0.9), ("b", Estimate.undefined("no posts"), None)]
    table = re.sub(r"<[^>]+>|\s", " ", plots.intervals("t", rows).split("<summary>")[1]).split()
    assert " ".join(table) == "As numbers Estimate Items Report a 0.25 0.10 to 0.50 1,200 0.90 b no posts 0"
    for bare in ([row[:2] for row in rows], [(*row[:2], None) for row in rows]):
        assert "Report" not in plots.intervals("t", bare), "an empty column tells nothing"
    assert '<th scope="row">a</th><td class="number">1,234</td>' in plots.bars("t", [("a", 1234)])
    assert '0.250 <span class="interval">0.100 to 0.500</span>' in plots.series("t", [row[:2] for row in rows])


def test_what_is_not_drawn_is_among_the_numbers() -> None:
    rows = [(f"group {number}", Estimate(0.5, 0.4, 0.6)) for number in range(13)]
    drawn, table = plots.intervals("t", rows, drawn=12).split("<summary>")
    assert (drawn.count("<circle"), table.count("<tr><th")) == (12, 13)
    assert 'viewBox="0 0 420 504"' in drawn, "as high as what it draws"
    assert plots.intervals("t", rows).count("<circle") == 13


def test_an_interval_surrounds_its_estimate_on_the_scale() -> None:
    drawn = plots.intervals("t", [("a", Estimate(0.25, 0.0, 1.0), None)])
    low, high = map(float, re.search(r'whisker" x1="([\d.]+)" x2="([\d.]+)"', drawn).groups())  # type: ignore[union-attr]
    middle = float(re.search(r'cx="([\d.]+)"', drawn)[1])  # type: ignore[index]
    assert abs(middle - (low + 0.25 * (high - low))) < 0.2


def test_the_highest_bar_fills_the_plot_and_the_others_are_to_scale() -> None:
    heights = re.findall(r'height="([\d.]+)"', plots.bars("t", [("a", 10), ("b", 5), ("c", 0)]))
    assert list(map(float, heights)) == [108.0, 54.0, 0.0]
    assert "<rect" not in plots.bars("t", [])


def test_a_day_without_an_estimate_is_left_empty() -> None:
    drawn = plots.series("t", [("1", Estimate(0.1, 0.05, 0.2, count=9)), ("2", Estimate(None))])
    assert drawn.count("<circle") == 1
    assert "9 posts" in drawn
