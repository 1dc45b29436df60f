"""Decisions as HTML: escaped, and to scale."""

from __future__ import annotations

from crossguard.markup import decision_html, results_html


def test_a_bar_shows_score_and_threshold_and_a_flag_is_bold() -> None:
    # Scores that a file holds rounded may reach a threshold that they lie below.
    labels = [("racist", 0.75, 0.5, "block", True), ("sexist", 0.4, 0.4, "allow", False)]
    drawn = decision_html("<1>", "block", labels)
    assert "<1>" not in drawn
    assert "&lt;1&gt;" in drawn
    assert "width:75%" in drawn
    assert "left:50%" in drawn
    assert [part.partition(">")[0] for part in drawn.split("font-weight:")[1:]] == ['bold"', 'normal"']


def test_an_error_stands_in_place_of_bars() -> None:
    drawn = decision_html("1", "failed", [], "No <b>words</b>.")
    assert "No &lt;b&gt;words&lt;/b&gt;." in drawn
    assert "<tr" not in drawn


def test_a_table_tells_how_many_more_there_are() -> None:
    rows = [("1", "<i>", "block", "racist")]
    assert "and 1,200 more" in results_html("all", rows, 1200)
    assert "more" not in results_html("all", rows, 0)
    assert "<i>" not in results_html("all", rows, 0)
