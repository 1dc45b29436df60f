"""Tables of twins: each letter has one, none is itself, and blocks run from A to Z."""

from __future__ import annotations

import unicodedata

import pytest

from crossguard.evaluation.audit import alphabets
from crossguard.evaluation.audit.alphabets import LOWER, UPPER, Table

# Some letters look the same upside down.
TABLES = {
    name: table
    for name, table in vars(alphabets).items()
    if name.isupper() and isinstance(table, dict) and name != "UPSIDE_DOWN"
}


@pytest.mark.parametrize("name", TABLES)
def test_no_letter_stays_what_it_is(name: str) -> None:
    table: Table = TABLES[name]
    assert len(table) >= 13
    for letter, twin in table.items():
        assert letter != twin
        assert chr(letter) != twin


@pytest.mark.parametrize(
    "name", ["FULLWIDTH", "BOLD", "BOLD_SCRIPT", "BOLD_FRAKTUR", "SANS_ITALIC", "MONOSPACE", "CIRCLED"]
)
def test_a_styled_alphabet_is_the_same_text_once_it_is_normalised(name: str) -> None:
    """An offset that is one wrong would give every letter as its neighbour, and the audit would test another thing."""
    assert unicodedata.normalize("NFKC", (LOWER + UPPER).translate(TABLES[name])) == LOWER + UPPER


@pytest.mark.parametrize("name", ["DOUBLE_STRUCK", "SQUARED", "REGIONAL_INDICATORS"])
def test_blocks_with_one_case_give_both_cases_the_same_twins(name: str) -> None:
    written = [unicodedata.name(twin) for twin in LOWER.translate(TABLES[name])]
    assert [told.split()[-1].upper() for told in written] == list(UPPER)
    assert UPPER.translate(TABLES[name]) == LOWER.translate(TABLES[name])
