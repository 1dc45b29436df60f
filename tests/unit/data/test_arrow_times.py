"""Dates, times and durations as texts."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest

from crossguard.data.arrow_times import with_ids_as_text, with_times_as_text

ZONED = pa.timestamp("ms", "Asia/Tokyo")


@pytest.mark.parametrize(
    ("values", "kind", "texts"),
    [
        ([1_774_751_400_000, None], ZONED, ["2026-03-29T02:30:00.000Z", None]),
        ([0], pa.timestamp("s"), ["1970-01-01T00:00:00"]),
        ([0], pa.timestamp("s", "Mars/Olympus"), ["1970-01-01T00:00:00Z"]),
        ([1], pa.date32(), ["1970-01-02"]),
        ([90], pa.time32("s"), ["00:01:30"]),
        ([5400, None, -1], pa.duration("s"), ["5400 s", None, "-1 s"]),
        ([[], None, [1, None]], pa.list_(ZONED), [[], None, ["1970-01-01T00:00:00.001Z", None]]),
        (
            [{"took": 1, "by": "me"}, None],
            pa.struct([("took", pa.duration("ns")), ("by", pa.string())]),
            [{"took": "1 ns", "by": "me"}, None],
        ),
        ([(1, 2, 3)], pa.month_day_nano_interval(), [(1, 2, 3)]),
        (["2026-03-29 noon", None], pa.string(), ["2026-03-29 noon", None]),
    ],
)
def test_times_become_texts_and_the_rest_stays(values: list[Any], kind: Any, texts: list[Any]) -> None:
    column = pa.array(values, kind)
    assert with_times_as_text(column).to_pylist() == texts
    assert with_times_as_text(column[1:]).to_pylist() == texts[1:]


def test_times_that_are_stored_once_become_texts() -> None:
    column = pa.array([1, 1, None], ZONED).dictionary_encode()
    assert with_times_as_text(column).to_pylist() == ["1970-01-01T00:00:00.001Z", "1970-01-01T00:00:00.001Z", None]


def test_times_of_a_zone_need_no_database_of_zones(monkeypatch: pytest.MonkeyPatch) -> None:
    def without_zones(unit: str, tz: str | None = None, known: Any = pa.timestamp) -> Any:
        if tz:
            raise pa.ArrowInvalid(f"Cannot locate or parse timezone '{tz}'")
        return known(unit)

    monkeypatch.setattr(pa, "timestamp", without_zones)
    assert with_times_as_text(pa.array([1, None], ZONED)).to_pylist() == ["1970-01-01T00:00:00.001Z", None]


@pytest.mark.parametrize(
    ("values", "kind", "texts"),
    [
        ([1000, 1001, None], pa.timestamp("ms"), ["1970-01-01T00:00:01", "1970-01-01T00:00:01.001", None]),
        ([0], pa.timestamp("ns", "UTC"), ["1970-01-01T00:00:00Z"]),
        ([0, 10], pa.time64("us"), ["00:00:00", "00:00:00.000010"]),
        ([[0]], pa.list_(pa.timestamp("ms")), [["1970-01-01T00:00:00.000"]]),
        (["2026-03-29T02:30:00.000Z", "1.0"], pa.string(), ["2026-03-29T02:30:00.000Z", "1.0"]),
    ],
)
def test_times_as_ids_have_no_empty_fraction_and_texts_stay(values: list[Any], kind: Any, texts: list[Any]) -> None:
    assert with_ids_as_text(pa.array(values, kind)).to_pylist() == texts
