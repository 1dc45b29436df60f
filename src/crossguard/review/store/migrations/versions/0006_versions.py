"""The source's own id of earlier versions, which stays though nothing new is stored under it; appeals are looked up."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Adds the column, and takes the id of those that are there from their names."""
    op.add_column("items", sa.Column("version_of", sa.String(512)))
    for column in ("version_of", "appeal_of"):
        given = sa.text(f"{column} IS NOT NULL")
        op.create_index(f"ix_items_{column}", "items", [column], sqlite_where=given, postgresql_where=given)
    names = ("id", "source", "kind", "external", "version_of")
    items = sa.table("items", *(sa.column(name) for name in names))
    later = items.alias("later")
    mark = sa.literal("#").concat(sa.cast(items.c.id, sa.String))
    id_ = sa.func.substr(items.c.external, 1, sa.func.length(items.c.external) - sa.func.length(mark))
    of_posts = ("flag", "audit", "report")
    # A source may send such an id itself: then nothing newer has what is before the number.
    newer = (later.c.source == items.c.source, later.c.kind.in_(of_posts), later.c.external == id_)
    edited = sa.exists().where(*newer, later.c.id > items.c.id)
    named = (items.c.kind.in_(of_posts), items.c.external.like(sa.literal("%").concat(mark)), edited)
    op.execute(items.update().where(*named).values(version_of=id_))
    # Reports and golden items have the number of the item with which they were set apart.
    first = items.alias("first")
    # All columns of the unique index, or SQLite reads all posts of the source for each of them.
    same = (first.c.source == items.c.source, first.c.kind.in_(of_posts), first.c.external == items.c.external)
    known = sa.select(sa.func.max(first.c.version_of)).where(*same).scalar_subquery()
    others = (items.c.version_of.is_(None), items.c.kind != "appeal", items.c.external.like("%#%"))
    op.execute(items.update().where(*others).values(version_of=known))
