"""Wire formats that more than one surface speaks; each is read and written in one file."""

from __future__ import annotations

from typing import Final

LONGEST_TYPE: Final = 1000
"""Characters of a content type. Python reads its parameters in quadratic time: 60,000 semicolons took it 15 s."""
