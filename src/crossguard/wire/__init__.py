"""Wire formats that more than one surface speaks; each is read and written in one file."""

from __future__ import annotations

from typing import Final

LONGEST_TYPE: Final = 1000
"""Characters of a content type. Python reads its parameters in quadratic time: 60,000 semicolons took it 15 s."""
SOURCE: Final = r"^[\w.:-]{1,64}$"
"""What a review console may call the place where posts come from."""
MISSING: Final = "missing:"
"""Begins what stands in for an image that a review console cannot show; behind it stands why."""


def refusal_of(content_type: str | None) -> str:
    """Returns why a content type is not even read; an empty text if it is short enough."""
    if len(content_type or "") <= LONGEST_TYPE:
        return ""
    return f"A content type may have {LONGEST_TYPE} characters; this one has more."
