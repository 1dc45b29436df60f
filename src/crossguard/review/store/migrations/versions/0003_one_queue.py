"""Allowed posts that are checked wait among the flagged ones: a queue of their own would say what the model thinks."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Moves what waits in the queue audit; people who work there only get the queue main."""
    items = sa.table("items", sa.column("queue"))
    people = sa.table("people", sa.column("id"), sa.column("queues", sa.JSON))
    op.execute(items.update().where(items.c.queue == "audit").values(queue="main"))
    connection = op.get_bind()
    for person, queues in connection.execute(sa.select(people.c.id, people.c.queues)).all():
        if "audit" in (queues or ()):
            moved = list(dict.fromkeys("main" if name == "audit" else name for name in queues))
            connection.execute(people.update().where(people.c.id == person).values(queues=moved))
