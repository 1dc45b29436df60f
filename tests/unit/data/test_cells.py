"""What a cell of a label says, and what of it is refused."""

from __future__ import annotations

import math
from typing import Any

import pytest

from crossguard.data.cells import share_of
from crossguard.errors import TableError


@pytest.mark.parametrize("cell", [None, "", " ", "nan", "NaN", "NULL", "None", "N/A", "#N/A", math.nan])
def test_an_empty_cell_of_a_label_is_unknown(cell: Any) -> None:
    assert math.isnan(share_of(cell, "racist", "Row 1"))


@pytest.mark.parametrize(
    ("cell", "share"),
    [
        *((0, 0.0), (True, 1.0), ("1", 1.0), ("0.33", 0.33), ("True", 1.0), ("FALSE", 0.0), ("yes", 1.0), ("No", 0.0)),
        *(("0,33", 0.33), ("1,0", 1.0)),
    ],
)
def test_a_cell_of_a_label_is_a_share_of_annotators(cell: Any, share: float) -> None:
    assert share_of(cell, "racist", "Row 1") == share


@pytest.mark.parametrize("cell", ["maybe", "1,5", "1,000", -0.1, 1.5, "inf", [1]])
def test_anything_else_in_a_label_is_told_with_its_place(cell: Any) -> None:
    with pytest.raises(TableError, match=r"^Row 7: 'racist' must be a number from 0 to 1"):
        share_of(cell, "racist", "Row 7")
