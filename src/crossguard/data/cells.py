"""What a cell of a table says: a text, or the share of annotators who gave a label."""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from contextlib import suppress
from datetime import date, time, timedelta
from decimal import Decimal
from itertools import islice
from typing import Any, Final
from uuid import UUID

from crossguard.data.image_sources import is_missing
from crossguard.errors import PostError, TableError, number_of

# As pandas and spreadsheets write them.
_YES_OR_NO: Final = {"true": 1.0, "false": 0.0, "yes": 1.0, "no": 0.0}
_UNKNOWN: Final = frozenset({"", "nan", "null", "none", "na", "n/a", "#n/a"})
_DECIMAL_COMMA: Final = re.compile(r"0,\d+|1,00?|\d,\d+e-\d+", re.IGNORECASE)
# Of cells that are no shares.
_SHOWN_CELLS: Final = 3
_SHOWN_CHARACTERS: Final = 40
# Words of a text; a column of names has one or two.
_SEVERAL: Final = 3
_READ: Final = 1000
# Of a cell of hardly more words than that, a time or a year makes a date: `Monday, November 30, 2026 at 8:03 PM`.
_TIME: Final = re.compile(r"\b\d{1,2}:\d{2}|\b(?:19|20)\d{2}\b")
_DATE: Final = 8
# Of a list or object in a cell, so many are looked at.
_PARTS: Final = 20
_IN_JSON: Final = ("{", '["', "['")
_CLASSES: Final = " Classes need a column of 1 and 0 each, as by pandas.get_dummies."


class Shares:
    """Reads cells as shares of annotators, and counts those that are none, so that a person learns of all at once."""

    def __init__(self, path: object) -> None:
        self._path = path
        self._wrong: Counter[str] = Counter()
        self._first: list[str] = []

    def read(self, value: Any, name: str, where: str) -> float:
        """Returns the share of annotators who gave a label, in [0, 1]; NaN where nobody knows: the cell is empty."""
        share = _share(value)
        if share is not None:
            return share
        self._wrong[name] += 1
        if len(self._first) < _SHOWN_CELLS:
            self._first.append(f"{where}: '{name}' is {repr(value)[:_SHOWN_CHARACTERS]}")
        return math.nan

    def check(self, hint: str = "") -> None:
        """Refuses what was read if a cell of it is no share; `hint` says what else could be done.

        Raises:
            TableError: Names the first cells, and how many there are of each column.
        """
        count = self._wrong.total()
        if not count:
            return
        left = count - len(self._first)
        columns = ", ".join(f"'{name}' {number:,}" for name, number in self._wrong.most_common())
        more = f"; and {left:,} more, by column: {columns}" if left else ""
        raise TableError(
            f"'{self._path}': {number_of(count, 'cell')} must be a number from 0 to 1, yes or no, or empty where "
            f"unknown, not: {'; '.join(self._first)}{more}.{hint or _CLASSES}"
        )

    @property
    def wrong(self) -> frozenset[str]:
        """The columns in which a cell was no share."""
        return frozenset(self._wrong)


def _share(value: Any) -> float | None:
    """Returns the share that a cell says, NaN where it is empty, None where it says something else."""
    if isinstance(value, str):
        word = value.strip().lower()
        value = None if word in _UNKNOWN else _YES_OR_NO.get(word, value)
    value = with_point(value)
    if value is None:
        return math.nan
    try:
        share = float(value)
    except (OverflowError, TypeError, ValueError):
        return None
    return share if 0 <= share <= 1 or math.isnan(share) else None


def holds_words(cells: Iterable[Any]) -> bool:
    """Whether most cells of a column hold several words, as texts do and names, labels, dates and addresses do not."""
    all_ = list(cells)
    texts = [cell for cell in all_ if isinstance(cell, str) and _is_text(cell[:_READ])]
    # What stands in many rows, such as the program that sent a post, is no text of theirs.
    return 2 * len(texts) > len(all_) and 2 * len(set(texts)) >= len(texts)


def longest_inside(value: Any, depth: int = 4) -> str:
    """Returns the longest text in lists and objects, of the first ones; an empty one where there is none."""
    if isinstance(value, str):
        return value[:_READ]
    if depth == 0 or not isinstance(value, list | tuple | Mapping):
        return ""
    parts = value.values() if isinstance(value, Mapping) else value
    return max((longest_inside(part, depth - 1) for part in islice(parts, _PARTS)), key=len, default="")


def joined_parts(cell: str) -> str | None:
    """Returns the text of objects with a `text` each, as Google Takeout writes comments; None for every other text.

    Nothing that a person would read is left out: beside their texts, such objects have only addresses and ids.
    """
    if not cell.startswith('{"text"'):
        return None
    try:
        parts = json.loads(f"[{cell}]", strict=False, object_pairs_hook=_each_once)
    except (ValueError, RecursionError):
        return None
    texts: list[Any] = [part.get("text") if isinstance(part, dict) else None for part in parts]
    if not all(isinstance(text, str) for text in texts):
        return None
    rest = [(name, value) for part in parts for name, value in part.items() if name != "text"]
    shown = json.dumps(rest, ensure_ascii=False, separators=(",", ":"))
    if not all(isinstance(value, dict) for _, value in rest) or "\\" in shown or any(map(str.isspace, shown)):
        return None
    return whole("".join(texts))


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Returns an object of JSON; of a name that it has twice, one value would be left out."""
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError
    return found


def _is_text(cell: str) -> bool:
    parts = cell.split()
    words = [part for part in parts if "://" not in part and any(map(str.isalpha, part))]
    dated = len(parts) <= _DATE and _TIME.search(cell) is not None
    return len(words) >= _SEVERAL and not dated and not cell.lstrip().startswith(_IN_JSON)


def holds_shares(cells: Iterable[Any]) -> bool:
    """Whether every cell of a column says how many annotators gave a label, or that nobody knows."""
    return all(_share(cell) is not None for cell in cells)


def with_point(value: Any) -> Any:
    """Returns a share that was written with a decimal comma with a point; the rest as it is."""
    is_share = isinstance(value, str) and _DECIMAL_COMMA.fullmatch(value.strip())
    return value.replace(",", ".") if is_share else value


def names_in(value: Any) -> list[str]:
    """Returns what a cell names: nothing where it is empty or says that nobody knows, and each item of a list."""
    if isinstance(value, list | tuple):
        return [name for item in value for name in names_in(item)]
    text = _shown(written(value)).strip()
    return [] if text.lower() in _UNKNOWN else [text]


def as_text(value: Any, column: str) -> str:
    """Returns a cell as text; None and NaN are empty.

    Numbers, dates and UUIDs are written out, as ids often are such, and bytes are read as UTF-8.

    Raises:
        PostError: `field_bad_type`.
    """
    if isinstance(value, str):
        return whole(value)
    if is_missing(value):
        return ""
    if getattr(value, "ndim", None) == 0:  # a number of NumPy
        value = value.item()
    if isinstance(value, bytes):
        with suppress(UnicodeDecodeError):
            return value.decode()
    value = written(value)
    if isinstance(value, str):
        return value
    if isinstance(value, bool) or not isinstance(value, int | float):
        many = " Many posts: score(series)." if hasattr(value, "ndim") else ""
        raise PostError("field_bad_type", f"'{column}' must be a text, not {type(value).__name__}.{many}")
    return _shown(value)


def _shown(value: Any) -> str:
    # pandas turns whole numbers of a column with gaps into floats.
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def written(value: Any) -> Any:
    """Returns dates, times, durations, decimals and UUIDs as text; the rest as it is."""
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, Decimal):
        is_whole = value.is_finite() and value == value.to_integral_value()
        return str(int(value)) if is_whole else f"{value:f}"
    return str(value) if isinstance(value, timedelta | UUID) else value


def whole(text: str) -> str:
    """Replaces half characters (lone surrogates), which can be read from JSON and never written as UTF-8."""
    if text.isascii():
        return text
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
