"""Decisions as plain values: the wire format back to records, and one flat row per post for CSV and Parquet."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from crossguard.records import SCHEMA_VERSION, Action, Decision, LabelDecision, PostFailure

SCORE = "score_"
_HEAD = ("id", "schema_version", "status", "action", "flags")
_TAIL = (
    "text_weight",
    "image_weight",
    "model",
    "model_version",
    "policy",
    "policy_version",
    "notes",
    "error_code",
    "error_message",
)


def from_dict(record: Mapping[str, Any]) -> Decision:
    """Returns the decision that `to_dict` turned into a record.

    Raises:
        KeyError, TypeError, ValueError: The record is not one of ours.
    """
    if record["schema_version"] != SCHEMA_VERSION:
        raise ValueError(f"schema version {record['schema_version']}")
    weights, error = record["modality_weights"], record["error"]
    labels = {
        name: LabelDecision(label["score"], label["threshold"], label["flagged"], Action(label["action"]))
        for name, label in record["labels"].items()
    }
    return Decision(
        id=record["id"],
        labels=labels,
        action=Action(record["action"]) if record["action"] else None,
        text_weight=weights and weights["text"],
        model=record["model"],
        model_version=record["model_version"],
        policy=record["policy"],
        policy_version=record["policy_version"],
        notes=tuple(record["notes"]),
        error=error and PostFailure(error["code"], error["message"]),
    )


def flat_columns(labels: Sequence[str]) -> tuple[str, ...]:
    """Returns the columns of a flat row, in order."""
    per_label = (f"{part}_{label}" for part in ("score", "threshold", "action") for label in labels)
    return (*_HEAD, *per_label, *_TAIL)


def labels_of(columns: Sequence[str]) -> tuple[str, ...]:
    """Returns the label names of a flat table by its columns."""
    return tuple(column.removeprefix(SCORE) for column in columns if column.startswith(SCORE))


def to_flat(decision: Decision) -> dict[str, Any]:
    """Returns the decision as one flat row; columns that do not apply are absent or None."""
    record = decision.to_dict()
    labels, weights, error = record.pop("labels"), record.pop("modality_weights"), record.pop("error")
    for name, label in labels.items():
        record |= {f"score_{name}": label["score"], f"threshold_{name}": label["threshold"]}
        record[f"action_{name}"] = label["action"]
    record |= {f"{name}_weight": weight for name, weight in (weights or {}).items()}
    return record | {f"error_{name}": part for name, part in (error or {}).items()}


def from_flat(row: Mapping[str, Any]) -> Decision:
    """Returns the decision that `to_flat` turned into a row.

    Raises:
        KeyError, TypeError, ValueError: The row is not one of ours.
    """
    scored = row["status"] == "scored"
    record = dict(row)
    record["labels"] = {
        name: {
            "score": row[f"score_{name}"],
            "threshold": row[f"threshold_{name}"],
            "flagged": name in row["flags"],
            "action": row[f"action_{name}"],
        }
        for name in (labels_of(list(row)) if scored else ())
    }
    record["modality_weights"] = {"text": row["text_weight"], "image": row["image_weight"]} if scored else None
    record["error"] = None if scored else {"code": row["error_code"], "message": row["error_message"]}
    return from_dict(record)
