"""The lead's page."""

from __future__ import annotations

from starlette.responses import Response

from crossguard.review.pages.templating import render
from crossguard.review.pages.visit import Visit


def show(visit: Visit) -> Response:
    """Shows how the work goes."""
    return render(visit, "quality.html.j2")
