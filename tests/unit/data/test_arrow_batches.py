"""Rows of record batches."""

from __future__ import annotations

from datetime import datetime, timedelta

import pyarrow as pa

from crossguard.data.arrow_batches import rows_of


def test_what_arrow_alone_holds_refuses_no_table() -> None:
    columns = {
        "text": ["a", "b"],
        "gap": pa.array([(1, 2, 3), None], pa.month_day_nano_interval()),
        "took": pa.array([timedelta(seconds=5), None]),
        "far": pa.array([[2**60], None], pa.large_list(pa.timestamp("us"))),
        "at": pa.array([datetime(2020, 1, 1), None]),  # noqa: DTZ001
    }
    (first, second) = rows_of(pa.RecordBatch.from_pydict(columns), None)
    assert first is not None
    assert second is not None
    assert (first["text"], first["took"], second["at"]) == ("a", "5000000 us", None)
    assert str(first["at"]).startswith("2020-01-01")
