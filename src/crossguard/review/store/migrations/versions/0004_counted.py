"""Which posts of the feed were counted, so that one that is sent again does not count twice."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Adds the table; posts that came before are unknown to it."""
    op.create_table(
        "counted",
        sa.Column("post", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("day", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("post", name="pk_counted"),
        sqlite_with_rowid=False,
    )
