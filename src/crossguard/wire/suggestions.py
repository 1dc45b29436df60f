"""A suggestion of better scores: the service keeps it as a line of a file, a review console takes it as a vote."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any, Final

MOST: Final = 256
"""Characters of a name that a console takes."""


def as_item(record: Mapping[str, Any]) -> dict[str, Any]:
    """Returns a record of a suggestion as a console takes it: one post for each text, one vote for each who suggests.

    Raises:
        KeyError, TypeError, ValueError: It is no such record.
    """
    text = str(record["text"])
    return {
        "id": _digest(text)[:32],
        "text": text,
        "suggestion": {"by": _name(record) or "unknown", "scores": dict(record["attributes"])},
    }


def _name(record: Mapping[str, Any]) -> str:
    """Returns one name per caller, community and token: whatever two of them contain, no two give the same."""
    parts = (str(record.get(key) or "") for key in ("caller", "community_id", "client_token"))
    name = "/".join(part.replace("%", "%25").replace("/", "%2F") for part in parts).rstrip("/")
    return name if len(name) <= MOST else f"{name[: MOST - 65]}-{_digest(name)}"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
