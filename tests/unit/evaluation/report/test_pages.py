"""Pages of comparisons and audits: escaped, masked, and the best value in bold."""

from __future__ import annotations

import re

import pytest
from jinja2 import UndefinedError

from crossguard.evaluation.comparison import Compared, Difference
from crossguard.evaluation.estimates import Estimate
from crossguard.evaluation.report.pages import comparison_page, render


def test_the_best_of_a_column_is_bold_and_less_is_better_for_errors() -> None:
    rows = [
        Compared("<b>first</b>", 100, {"f1_macro": Estimate(0.5), "any/false_positive_rate": Estimate(0.25)}, 10.0),
        Compared(
            "second",
            100,
            {"f1_macro": Estimate(0.75), "any/false_positive_rate": Estimate(0.4)},
            None,
            {"f1_macro": Difference(Estimate(0.25, 0.1, 0.3), 0.002)},
        ),
    ]
    page = comparison_page(rows, ["f1_macro", "any/false_positive_rate"])
    assert "&lt;b&gt;first&lt;/b&gt;" in page
    assert "<b>first" not in page
    bold = re.findall(r"<(?:b|strong)[^>]*>\s*([\d.]+)", page)
    assert bold == ["0.250", "0.750"]
    assert "+0.250 [+0.100, +0.300], p = 0.002" in page
    assert "<script" not in page


def test_a_name_that_a_template_lacks_is_an_error() -> None:
    with pytest.raises(UndefinedError, match="'rows' is undefined"):
        render("compare.html.j2", keys=[])
