"""What a cell of a label says, what of it is refused, and which cells are texts."""

from __future__ import annotations

import math
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import numpy as np
import pytest

from crossguard.data.cells import Shares, as_text, holds_words, names_in
from crossguard.errors import PostError, TableError


@pytest.mark.parametrize("cell", [None, "", " ", "nan", "NaN", "NULL", "None", "N/A", "#N/A", math.nan])
def test_an_empty_cell_of_a_label_is_unknown(cell: Any) -> None:
    shares = Shares("mine.csv")
    assert math.isnan(shares.read(cell, "racist", "Row 1"))
    shares.check()


@pytest.mark.parametrize(
    ("cell", "share"),
    [
        *((0, 0.0), (True, 1.0), ("1", 1.0), ("0.33", 0.33), ("True", 1.0), ("FALSE", 0.0), ("yes", 1.0), ("No", 0.0)),
        *(("0,33", 0.33), ("1,0", 1.0), ("1,00", 1.0), (" 2,5E-05 ", 2.5e-5)),
    ],
)
def test_a_cell_of_a_label_is_a_share_of_annotators(cell: Any, share: float) -> None:
    assert Shares("mine.csv").read(cell, "racist", "Row 1") == share


@pytest.mark.parametrize("cell", ["maybe", "1,5", "1,000", -0.1, 1.5, 10**400, "inf", [1]])
def test_anything_else_in_a_label_is_told_with_its_place(cell: Any) -> None:
    shares = Shares("mine.csv")
    shares.read(cell, "racist", "Row 7")
    with pytest.raises(TableError, match=r"^'mine.csv': 1 cell must be a number from 0 to 1.*: Row 7: 'racist' is"):
        shares.check()


def test_all_wrong_cells_are_counted_and_the_first_few_shown() -> None:
    shares = Shares("mine.csv")
    for row in range(1, 201):
        shares.read("maybe", "racist", f"Row {row}")
        shares.read(1, "sexist", f"Row {row}")
    shown = "; ".join(f"Row {row}: 'racist' is 'maybe'" for row in (1, 2, 3))
    with pytest.raises(TableError, match=rf"200 cells .*: {shown}; and 197 more, by column: 'racist' 200\. Next\.$"):
        shares.check(" Next.")
    assert shares.wrong == {"racist"}


@pytest.mark.parametrize("many", [np.array(["a", "b"]), np.array(["a"])])
def test_many_texts_in_one_cell_are_told_by_their_own_type(many: Any) -> None:
    with pytest.raises(PostError, match=r"'text' must be a text, not ndarray\. Many posts: score\(series\)\.$"):
        as_text(many, "text")
    assert as_text(np.int64(7), "text") == "7"


@pytest.mark.parametrize(
    ("cell", "text"),
    [
        (Decimal("7.00"), "7"),
        (Decimal("7.50"), "7.50"),
        (Decimal("NaN"), "NaN"),
        (date(2026, 1, 2), "2026-01-02"),
        (datetime(2026, 1, 2, 3, 4, tzinfo=UTC), "2026-01-02T03:04:00+00:00"),
        (UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        ("grün".encode(), "grün"),
    ],
)
def test_what_ids_often_are_is_written_out(cell: Any, text: str) -> None:
    assert as_text(cell, "id") == text


def test_bytes_that_are_no_text_are_told() -> None:
    with pytest.raises(PostError, match="'text' must be a text, not bytes"):
        as_text(b"\xff", "text")


@pytest.mark.parametrize(
    ("cell", "names"),
    [
        (" Women ", ["Women"]),
        *((nothing, []) for nothing in (None, "", "NaN", "n/a", math.nan, [], ["", None])),
        (["women", "gay "], ["women", "gay"]),
        (1.0, ["1"]),
        (True, ["True"]),
    ],
)
def test_what_a_cell_names(cell: Any, names: list[str]) -> None:
    assert names_in(cell) == names


@pytest.mark.parametrize(
    ("cells", "words"),
    [
        (["what they said", "and there again", None], True),
        (["see https://example.org now please", "in 2024 they said all this about us and all of them"], True),
        (["what they said", "", None], False),
        (["Twitter for iPhone"] * 5, False),
        (["New York", "Jane Doe"], False),
        (["https://a.org/1 https://a.org/2 https://a.org/3", "https://b.org"], False),
        (["Wed Oct 10 20:19:24 +0000 2018", "Monday, November 30, 2026 at 8:03 PM"], False),
        (["2026-11-30 20:03:53 UTC", "30 November 2026"], False),
        (["a81f77b2", "0c1d 77b2"], False),
        (["['one', 'two', 'three']", '{"what": "they said", "and": "again"}'], False),
        ([3.5, 7, b"what they said"], False),
    ],
)
def test_a_column_of_words_is_known_by_its_cells(cells: list[Any], *, words: bool) -> None:
    assert holds_words(cells) is words
