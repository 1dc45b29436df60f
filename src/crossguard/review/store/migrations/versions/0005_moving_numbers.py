"""As what a post was counted, so that it can count as something else, and by what its next version is told."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Adds the columns; posts that came before stay counted as they were."""
    op.add_column("counted", sa.Column("counted_on", sa.Integer()))
    op.add_column("counted", sa.Column("stratum", sa.String(32)))
    op.add_column("counted", sa.Column("text_sum", sa.String(4)))
    op.add_column("counted", sa.Column("image_text_sum", sa.String(4)))
