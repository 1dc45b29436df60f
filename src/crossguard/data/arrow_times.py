"""Dates, times and durations of Arrow as texts: Python holds neither nanoseconds nor every year and zone."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Final

_DAY_AND_TIME: Final = r"^(-?\d+-\d\d-\d\d) (.*)"
_NO_FRACTION: Final = r"\.0+(Z?)$"


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
    zone = "Z" if types.is_timestamp(kind) and kind.tz else ""
    if zone:  # the same in UTC; not every machine knows every zone, or any
        values = values.cast(pa.timestamp(kind.unit))
    return pc.replace_substring_regex(values.cast("string"), _DAY_AND_TIME, rf"\1T\2{zone}")


def with_ids_as_text(values: Any) -> Any:
    """Returns a column of ids as above, but without fractions that are zero: as Python writes these, and older results.

    Results are continued, and joined with reviews, by their ids.
    """
    import pyarrow.compute as pc
    from pyarrow import types

    texts = with_times_as_text(values)
    changed = texts is not values and types.is_string(texts.type)
    return pc.replace_substring_regex(texts, _NO_FRACTION, r"\1") if changed else texts


@lru_cache(maxsize=1000)
def _holds_times(kind: Any) -> bool:
    from pyarrow import types

    if types.is_dictionary(kind) or types.is_list(kind) or types.is_large_list(kind):
        return _holds_times(kind.value_type)
    if types.is_struct(kind):
        return any(_holds_times(field.type) for field in kind)
    return bool(types.is_temporal(kind)) and not types.is_interval(kind)
