"""The first schema. Databases have it already: a new one is made from `store.schema`, as of the newest revision."""

from __future__ import annotations

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Changes nothing."""
