"""One definition gives the columns of every flat table."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.support.decisions import decision, failed

from crossguard.schema import KEYS, DecisionRecord, Names, columns, flatten, own_columns, unflatten, written_columns

NAMES = Names(("racist", "sexist"), ("text",), ("toxicity",))


def test_columns_follow_the_record_and_its_names() -> None:
    assert [column.name for column in columns(NAMES)] == [
        *("id", "schema_version", "status", "action", "flags"),
        *("score_racist", "score_sexist", "threshold_racist", "threshold_sexist", "action_racist", "action_sexist"),
        *("text_weight", "image_weight", "model", "model_version", "runtime", "policy", "policy_version", "notes"),
        *("error_code", "error_message", "attributes_toxicity", "decided_by", "language", "digest", "input_text"),
    ]


def test_columns_have_the_kinds_of_the_record() -> None:
    kinds = {column.name: column.kind for column in columns(NAMES)}
    assert kinds["schema_version"] == "integer"
    assert kinds["flags"] == kinds["notes"] == "texts"
    assert {kinds[name] for name in ("score_racist", "text_weight", "attributes_toxicity")} == {"number"}
    assert {kinds[name] for name in ("id", "action", "action_racist", "error_code", "input_text")} == {"text"}


def test_names_are_found_in_a_header() -> None:
    found = Names.of([column.name for column in columns(NAMES)])
    assert (tuple(found.labels), tuple(found.input), tuple(found.attributes)) == (
        NAMES.labels,
        NAMES.input,
        NAMES.attributes,
    )


def test_columns_of_people_are_told_from_ours() -> None:
    layout = columns(NAMES)
    header = [column.name for column in layout]
    assert written_columns(header) == layout
    others = ["my decision", *header[:4], "", *header[4:]]
    assert own_columns(others) == layout
    assert own_columns([*others, "score_max", "action_taken"]) == layout, "columns of people that begin like ours"
    with pytest.raises(ValueError, match="it lacks columns of results: threshold_racist, threshold_sexist"):
        own_columns([name for name in header if not name.startswith(("threshold_", "action_"))])
    assert own_columns([name for name in header if name != "language"]) == tuple(
        column for column in layout if column.name != "language"
    ), "a record need not have it"
    for changed in (others, header[::-1], header[1:]):
        with pytest.raises(ValueError, match="not as they were written"):
            written_columns(changed)


@pytest.mark.parametrize("lost", ["id", "score_racist", "threshold_sexist", "image_weight", "error_code"])
def test_a_column_that_a_record_needs_is_named_where_it_is_missing(lost: str) -> None:
    header = [column.name for column in columns(NAMES)]
    with pytest.raises(ValueError, match=f"it lacks columns of results: {lost}$"):
        own_columns([name for name in header if name != lost])
    with pytest.raises(ValueError, match=f"stand twice in it: {lost}$"):
        own_columns([*header, lost])
    with pytest.raises(ValueError, match=r"it lacks columns of results: schema_version, .* and \d+ more"):
        own_columns(["id", "text"])


def test_a_flat_row_is_the_record_again() -> None:
    rows = (replace(decision("1", 0.75), attributes={"toxicity": 0.5}, input={"text": "x"}), failed("2"))
    for row in rows:
        layout = columns(Names(tuple(row.labels) or ("racist",), ("text",), ("toxicity",)))
        record = row.to_dict()
        again = unflatten(flatten(record, layout), layout)
        assert {key: again[key] for key in record if key not in {"attributes", "input"}} == {
            key: value for key, value in record.items() if key not in {"attributes", "input"}
        }


def test_the_json_schema_names_every_key_and_requires_those_without_a_default() -> None:
    schema = DecisionRecord.model_json_schema()
    assert tuple(schema["properties"]) == KEYS
    assert set(KEYS) - set(schema["required"]) == {"attributes", "decided_by", "language", "window", "digest", "input"}
