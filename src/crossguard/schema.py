"""The record of a decision, defined once: JSON, CSV, Parquet and Excel columns, OpenAPI and the docs follow from it.

`DecisionRecord` names the keys, their types and their meanings, in order. A key with a default is left out of a record
where it would say nothing.
"""

from __future__ import annotations

import types
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any, Final, Literal, Union, get_args, get_origin

from pydantic import BaseModel, ConfigDict, Field

# Changes when a key changes its name or its meaning.
SCHEMA_VERSION: Final = 2
_SHOWN: Final = 6

ActionWord = Literal["allow", "review", "block"]
Probability = Annotated[float, Field(ge=0, le=1)]
CellKind = Literal["text", "integer", "number", "texts"]


class _Record(BaseModel):
    # Records are written and not checked; building what checks them is a tenth of a start.
    model_config = ConfigDict(extra="forbid", defer_build=True)


class LabelRecord(_Record):
    """One label of one post."""

    score: Probability = Field(description="Calibrated probability.")
    threshold: Probability = Field(description="The score from which the label is flagged.")
    flagged: bool = Field(description="Whether the score reaches the threshold.")
    action: ActionWord = Field(description="The action for this label alone.")


class ModalityWeightsRecord(_Record):
    """How the model's gate mixed text and image; their sum is 1."""

    text: Probability
    image: Probability


class ErrorRecord(_Record):
    """Why a post could not be scored."""

    code: str = Field(description="A stable word for programs; see the error codes.")
    message: str = Field(description="One sentence for people.")


class WindowRecord(_Record):
    """The stretch of a long text, or the reading of a disguised one, that the decision rests on."""

    index: int = Field(ge=0, description="Which window, from 0.")
    of: int = Field(ge=1, description="How many there are.")
    text: list[int] | None = Field(
        description="First character in the text and the one after the last; null if the window has none of it or is "
        "the whole of it, or the place is unknown."
    )
    image_text: list[int] | None = Field(description="The same for the words of the image.")
    undisguised: bool = Field(description="Whether the text was scored with its disguise undone.")


class DecisionRecord(_Record):
    """The answer for one post; the same in files, over HTTP and in Python."""

    id: str = Field(description="Your identifier of the post, unchanged; if it had none, its position.")
    schema_version: Literal[2] = Field(description="Version of this record's format.")
    status: Literal["scored", "failed"] = Field(description="Whether the post could be scored.")
    action: ActionWord | None = Field(
        description="The strictest action over the labels; null when the post could not be scored."
    )
    flags: list[str] = Field(description="Labels whose score reaches the threshold.")
    labels: dict[str, LabelRecord] = Field(
        description="Per label: score, threshold, flag and action; empty when the post could not be scored."
    )
    modality_weights: ModalityWeightsRecord | None = Field(
        description="How the model's gate mixed text and image, which is not how much each contributed; null when the "
        "post could not be scored."
    )
    model: str = Field(description="Name of the model.")
    model_version: str = Field(description="Version of the model; changes with its weights.")
    runtime: str = Field(description="Runtime and precision, such as openvino 2026.4.1 (fp32).")
    policy: str = Field(description="Name of the policy, which sets thresholds and bands.")
    policy_version: str = Field(description="Version of the policy; changes with its thresholds.")
    notes: list[str] = Field(description="Remarks such as text_truncated.")
    error: ErrorRecord | None = Field(description="Why the post could not be scored; null when it was.")
    attributes: dict[str, Probability] = Field(
        default_factory=dict, description="Scores of further attributes, such as toxicity, if the model has any."
    )
    decided_by: list[str] = Field(
        default_factory=list,
        description="Labels and attributes that caused the action, the one farthest above its threshold first; "
        "absent if the action is allow.",
    )
    language: str = Field(
        default="",
        description="ISO 639 code of the text's language, or und if unclear; if the model states its languages.",
    )
    window: WindowRecord | None = Field(
        default=None,
        description="Which part decided of a text that has several lines or is long or disguised; not in flat tables.",
    )
    digest: str | None = Field(
        default=None, description="In files: fingerprint of the post, by which --resume detects changes."
    )
    input: dict[str, Any] = Field(
        default_factory=dict, description="In files, on request: columns of the input, and the words read in the image."
    )


KEYS: Final = tuple(DecisionRecord.model_fields)
LABEL_PARTS: Final = ("score", "threshold", "action")


@dataclass(frozen=True, slots=True)
class Names:
    """The names that columns of a flat table are made of."""

    labels: Sequence[str]
    input: Sequence[str] = ()  # columns of the input that are kept
    attributes: Sequence[str] = ()

    @classmethod
    def of(cls, header: Sequence[str]) -> Names:
        """Returns the names in the header of a flat table."""
        parts = {
            key: [c.removeprefix(f"{key}_") for c in header if c.startswith(f"{key}_")]
            for key in ("score", "input", "attributes")
        }
        return cls(parts["score"], parts["input"], parts["attributes"])


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a flat table."""

    name: str
    kind: CellKind
    path: tuple[str, ...]  # where the value stands in a record


def columns(names: Names) -> tuple[Column, ...]:
    """Returns the columns of a flat table, in order: nested keys become `error_code`, `score_L`, `input_C`."""
    found: list[Column] = []
    for key, field in DecisionRecord.model_fields.items():
        kind = _without_none(field.annotation)
        if get_origin(kind) is dict and get_args(kind)[1] is LabelRecord:
            types_of = LabelRecord.model_fields
            found += [
                Column(f"{part}_{label}", _kind(types_of[part].annotation), (key, label, part))
                for part in LABEL_PARTS
                for label in names.labels
            ]
        elif get_origin(kind) is dict:
            value: CellKind = "number" if key == "attributes" else "text"
            found += [Column(f"{key}_{name}", value, (key, name)) for name in getattr(names, key)]
        elif kind is WindowRecord:
            continue
        elif isinstance(kind, type) and issubclass(kind, BaseModel):
            form = "{part}_weight" if key == "modality_weights" else f"{key}_{{part}}"
            found += [
                Column(form.format(part=part), _kind(inner.annotation), (key, part))
                for part, inner in kind.model_fields.items()
            ]
        else:
            found.append(Column(key, _kind(kind), (key,)))
    return tuple(found)


def written_columns(header: Sequence[str]) -> tuple[Column, ...]:
    """Returns the columns of a flat table that is as it was written, by its header.

    Raises:
        ValueError: It has others, or has them in another order.
    """
    layout = columns(Names.of(header))
    if [column.name for column in layout] != list(header):
        raise ValueError("its columns are not as they were written, so it is not continued")
    return layout


def own_columns(header: Sequence[str]) -> tuple[Column, ...]:
    """Returns the columns of ours in the header of a flat table that people may have worked on.

    They may have added some of their own, and taken away those of keys that a record need not have.

    Raises:
        ValueError: One that is needed is missing, or stands twice.
    """
    layout = columns(replace(Names.of(header), labels=_labels(header)))
    needed = [column.name for column in layout if DecisionRecord.model_fields[column.path[0]].is_required()]
    if missing := [name for name in needed if name not in header]:
        more = f" and {len(missing) - _SHOWN} more" if len(missing) > _SHOWN else ""
        raise ValueError(f"it lacks columns of results: {', '.join(missing[:_SHOWN])}{more}")
    if doubled := [name for name in needed if header.count(name) > 1]:
        raise ValueError(f"columns of results stand twice in it: {', '.join(doubled)}")
    return tuple(column for column in layout if column.name in header)


def _labels(header: Sequence[str]) -> tuple[str, ...]:
    """Returns what has two columns of a label at least: people take one away, or add one such as `score_max`."""
    parts = tuple(f"{part}_" for part in LABEL_PARTS)
    named = Counter(name.partition("_")[2] for name in dict.fromkeys(header) if name.startswith(parts))
    # Where all lost as much, that is told of each.
    return tuple(name for name, count in named.items() if count > 1) or tuple(Names.of(header).labels)


def flatten(record: Mapping[str, Any], layout: Sequence[Column]) -> dict[str, Any]:
    """Returns a record as one flat row; None where a column does not apply."""
    return {column.name: _at(record, column.path) for column in layout}


def unflatten(row: Mapping[str, Any], layout: Sequence[Column]) -> dict[str, Any]:
    """Returns the record that `flatten` turned into a row.

    Raises:
        KeyError, TypeError, ValueError: The row is not one of ours.
    """
    record: dict[str, Any] = {}
    for column in layout:
        *above, last = column.path
        place = record
        for key in above:
            place = place.setdefault(key, {})
        place[last] = row[column.name]
    if record["status"] == "failed":
        record |= {"labels": {}, "modality_weights": None, "action": None}
    else:
        record["error"] = None
    labels = record.setdefault("labels", {})
    if unknown := set(record["flags"]) - set(labels):
        raise ValueError(f"flags of no label: {unknown}")
    for name, label in labels.items():
        label["flagged"] = name in record["flags"]
    return record


def _at(record: Any, path: Sequence[str]) -> Any:
    for key in path:
        record = (record or {}).get(key)
    return record


def _without_none(annotation: Any) -> Any:
    if get_origin(annotation) in {Union, types.UnionType}:
        (kind,) = [part for part in get_args(annotation) if part is not type(None)]
        return kind
    return annotation


def _kind(annotation: Any) -> CellKind:
    kind = _without_none(annotation)
    if get_origin(kind) is list:
        return "texts"
    if get_origin(kind) is Literal:
        kind = type(get_args(kind)[0])
    kinds: dict[Any, CellKind] = {int: "integer", float: "number", str: "text"}
    return kinds[kind]
