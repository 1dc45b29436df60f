"""Dates, times and durations of Arrow as texts: Python holds neither nanoseconds nor every year and zone."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Final

_DAY_AND_TIME: Final = r"^(-?\d+-\d\d-\d\d) "


def with_times_as_text(values: Any) -> Any:
    """Returns a column with texts in place of its dates, times and durations, also of those in lists and structs.

    All cells have one form: times are in ISO 8601, as exact as the column says, those with a zone in UTC; durations
    are numbers with the unit of the column.
    """
    import pyarrow as pa
    import pyarrow.compute as pc
    from pyarrow import types

    kind = values.type
    if not _holds_times(kind):
        return values
    if types.is_dictionary(kind):
        return with_times_as_text(values.dictionary_decode())
    if types.is_struct(kind):
        parts = [with_times_as_text(part) for part in values.flatten()]
        return pa.StructArray.from_arrays(parts, names=[field.name for field in kind], mask=values.is_null())
    if types.is_list(kind) or types.is_large_list(kind):
        own = values.take(pa.array(range(len(values))))  # what a slice lies in is left behind
        return type(own).from_arrays(own.offsets, with_times_as_text(own.values), mask=own.is_null())
    if types.is_duration(kind):
        return pc.binary_join_element_wise(values.cast("string"), kind.unit, " ")
    if types.is_timestamp(kind) and kind.tz:  # not every machine knows every zone
        values = values.cast(pa.timestamp(kind.unit, "UTC"))
    return pc.replace_substring_regex(values.cast("string"), _DAY_AND_TIME, r"\1T")


@lru_cache(maxsize=1000)
def _holds_times(kind: Any) -> bool:
    from pyarrow import types

    if types.is_dictionary(kind) or types.is_list(kind) or types.is_large_list(kind):
        return _holds_times(kind.value_type)
    if types.is_struct(kind):
        return any(_holds_times(field.type) for field in kind)
    return bool(types.is_temporal(kind)) and not types.is_interval(kind)
