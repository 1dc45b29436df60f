"""What counts as a problem of a siege."""

from __future__ import annotations

from math import nan

from benchmarks.siege import Result


def test_a_siege_without_attacks_or_answers_proves_nothing() -> None:
    assert Result(10, {}, 5.0, 9.0, 6.0, 12.0, 300.0, {"flood 0": 3}).problems(timed=True) == []
    found = Result(10, {}, 5.0, 9.0, nan, nan, 300.0, {}).problems(timed=True)
    assert found == ["p99 nan ms, quiet 9 ms", "no attack came to its end"]
