"""Outcomes as plain values: the wire format back to records, and one flat row per post for CSV and Parquet."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from crossguard.records import Action, Decision, LabelDecision, Outcome, Skipped

SCORE = "score_"
_HEAD = ("id", "status", "action", "flags")
_TAIL = (
    "text_share",
    "image_share",
    "model",
    "model_version",
    "policy",
    "policy_version",
    "notes",
    "reason",
    "message",
)


def from_dict(record: Mapping[str, Any]) -> Outcome:
    """Returns the outcome that `to_dict` turned into a record.

    Raises:
        KeyError, TypeError, ValueError: The record is not one of ours.
    """
    if record["status"] == "skipped":
        return Skipped(record["id"], record["reason"], record["message"])
    labels = {
        name: LabelDecision(label["score"], label["threshold"], label["flagged"], Action(label["action"]))
        for name, label in record["labels"].items()
    }
    return Decision(
        id=record["id"],
        labels=labels,
        action=Action(record["action"]),
        text_share=record["shares"]["text"],
        model=record["model"],
        model_version=record["model_version"],
        policy=record["policy"],
        policy_version=record["policy_version"],
        notes=tuple(record["notes"]),
    )


def flat_columns(labels: Sequence[str]) -> tuple[str, ...]:
    """Returns the columns of a flat row, in order."""
    per_label = (f"{part}_{label}" for part in ("score", "threshold", "action") for label in labels)
    return (*_HEAD, *per_label, *_TAIL)


def labels_of(columns: Sequence[str]) -> tuple[str, ...]:
    """Returns the label names of a flat table by its columns."""
    return tuple(column.removeprefix(SCORE) for column in columns if column.startswith(SCORE))


def to_flat(outcome: Outcome) -> dict[str, Any]:
    """Returns the outcome as one flat row; columns that do not apply are absent."""
    record = outcome.to_dict()
    labels = record.pop("labels", {})
    shares = record.pop("shares", {})
    for name, label in labels.items():
        record |= {f"score_{name}": label["score"], f"threshold_{name}": label["threshold"]}
        record[f"action_{name}"] = label["action"]
    return record | {f"{name}_share": share for name, share in shares.items()}


def from_flat(row: Mapping[str, Any]) -> Outcome:
    """Returns the outcome that `to_flat` turned into a row.

    Raises:
        KeyError, TypeError, ValueError: The row is not one of ours.
    """
    record = dict(row)
    if record["status"] == "skipped":
        return from_dict(record)
    record["labels"] = {
        name: {
            "score": row[f"score_{name}"],
            "threshold": row[f"threshold_{name}"],
            "flagged": name in row["flags"],
            "action": row[f"action_{name}"],
        }
        for name in labels_of(list(row))
    }
    record["shares"] = {"text": row["text_share"], "image": row["image_share"]}
    return from_dict(record)
