"""Suggestions from outside are votes of nobody here; colours of images have a switch of their own."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Adds the switch, and lets a vote be without a person."""
    op.add_column("people", sa.Column("show_colours", sa.Boolean(), server_default=sa.false(), nullable=False))
    with op.batch_alter_table("votes") as votes:
        votes.alter_column("person", existing_type=sa.Integer(), nullable=True)
