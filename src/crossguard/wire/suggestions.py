"""A suggestion of better scores: the service keeps it as a line of a file, a review console takes it as a vote."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any


def as_item(record: Mapping[str, Any]) -> dict[str, Any]:
    """Returns a record of a suggestion as a console takes it: one post for each text, one vote for each who suggests.

    Raises:
        KeyError, TypeError, ValueError: It is no such record.
    """
    text = str(record["text"])
    by = "/".join(str(record[key]) for key in ("caller", "community_id", "client_token") if record.get(key))
    return {
        "id": hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32],
        "text": text,
        "suggestion": {"by": by[:256] or "unknown", "scores": dict(record["attributes"])},
    }
