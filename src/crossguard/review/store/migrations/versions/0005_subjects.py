"""People were known by a provider's key alone; whoever comes with it first is the same person, and no new one."""

from __future__ import annotations

import hashlib
import re

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Stores the digest of such a key with no provider before it, which no login has: nobody can pretend to be one."""
    people = sa.table("people", sa.column("id"), sa.column("subject"))
    connection = op.get_bind()
    known = sa.select(people.c.id, people.c.subject).where(people.c.subject.is_not(None))
    for person, subject in connection.execute(known).all():
        if re.fullmatch("[0-9a-f]{64}", subject) is None:
            digest = hashlib.sha256(f" {subject}".encode()).hexdigest()
            connection.execute(people.update().where(people.c.id == person).values(subject=digest))
