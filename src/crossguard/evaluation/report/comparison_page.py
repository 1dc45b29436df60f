"""The page of a comparison."""

from __future__ import annotations

from collections.abc import Sequence

from crossguard.evaluation.comparison import Row, best, describe
from crossguard.evaluation.report.templating import render
from crossguard.evaluation.titles import title


def comparison_page(rows: Sequence[Row], keys: Sequence[str]) -> str:
    """Returns the comparison as one HTML document."""
    winners = {key: best(rows, key) for key in keys}
    return render("compare.html.j2", rows=rows, keys=keys, title=title, best=winners, describe=describe)
