"""What a cell of a table says: a text, or the share of annotators who gave a label."""

from __future__ import annotations

import math
import re
from typing import Any, Final

from crossguard.data.image_sources import is_missing
from crossguard.errors import PostError, TableError

# As pandas and spreadsheets write them.
_YES_OR_NO: Final = {"true": 1.0, "false": 0.0, "yes": 1.0, "no": 0.0}
_UNKNOWN: Final = frozenset({"", "nan", "null", "none", "na", "n/a", "#n/a"})
_DECIMAL_COMMA: Final = re.compile(r"0,\d+|1,0")


def share_of(value: Any, name: str, where: str) -> float:
    """Returns the share of annotators who gave a label, in [0, 1]; NaN where the cell is empty, as then nobody knows.

    Raises:
        TableError: The cell holds anything else.
    """
    if isinstance(value, str):
        word = value.strip().lower()
        value = None if word in _UNKNOWN else _YES_OR_NO.get(word, value)
        if _DECIMAL_COMMA.fullmatch(word):
            value = word.replace(",", ".")
    if value is None:
        return math.nan
    try:
        share = float(value)
    except (TypeError, ValueError):
        share = -1.0
    if 0 <= share <= 1 or math.isnan(share):
        return share
    raise TableError(
        f"{where}: '{name}' must be a number from 0 to 1, yes or no, or empty where unknown, and is {value!r}."
    )


def as_text(value: Any, column: str) -> str:
    """Returns a cell as text; numbers are written out, as ids often are numbers, and None and NaN are empty.

    Raises:
        PostError: `field_bad_type`.
    """
    if isinstance(value, str):
        return _whole(value)
    if is_missing(value):
        return ""
    if hasattr(value, "item"):  # a number of NumPy
        value = value.item()
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise PostError("field_bad_type", f"'{column}' must be a text, not {type(value).__name__}.")
    # pandas turns whole numbers of a column with gaps into floats.
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def _whole(text: str) -> str:
    """Replaces half characters (lone surrogates), which can be read from JSON and never written as UTF-8."""
    if text.isascii():
        return text
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
