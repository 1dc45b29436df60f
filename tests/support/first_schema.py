"""The first schema of the review console, as a migration: databases that were made with it are still upgraded."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


FILTERED = ("flagged", "kind", "source", "language", "author", "score", "received_at")
# Each index: its table, and its columns.
INDEXES = (
    ("attempts", "key", "at"),
    ("log", "item"),
    ("items", "author"),
    ("items", "likeness", "queue", "state"),
    ("items", "state", "queue", "received_at"),
    ("items", "received_at"),
    ("items", "state", "decided_at"),
    ("sessions", "person"),
    ("deliveries", "item"),
    ("deliveries", "next_at"),
    ("images", "item"),
    ("likenesses", "item"),
    ("votes", "person", "decided_at"),
    ("votes", "submission"),
)
JSON = sa.JSON(none_as_null=True)
CLAIMED, STANDING = sa.text("claimed_by IS NOT NULL"), sa.text("undone_at IS NULL")
# The log can be added to, and nothing else.
APPEND_ONLY = {
    "sqlite": [
        f"CREATE TRIGGER log_no_{act.lower()} BEFORE {act} ON log BEGIN "
        "SELECT RAISE(ABORT, 'the audit log is append-only'); END"
        for act in ("UPDATE", "DELETE")
    ],
    "postgresql": [
        (
            "CREATE FUNCTION log_is_append_only() RETURNS trigger LANGUAGE plpgsql AS "
            "$$ BEGIN RAISE EXCEPTION 'the audit log is append-only'; END $$"
        ),
        (
            "CREATE TRIGGER log_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON log "
            "FOR EACH STATEMENT EXECUTE FUNCTION log_is_append_only()"
        ),
    ],
}


def upgrade() -> None:
    """Creates all tables; the conventions of the schema name what has no name here."""
    op.create_table("attempts", _key(), *_of(sa.String(128), "key"), *_of(sa.Double(), "at"))
    op.create_table(
        "feed",
        sa.Column("source", sa.String(64), primary_key=True),
        sa.Column("day", sa.Integer(), primary_key=True),
        sa.Column("stratum", sa.String(32), primary_key=True),
        *_of(sa.Integer(), "posts"),
    )
    op.create_table(
        "invitations",
        sa.Column("digest", sa.String(64), primary_key=True),
        *_of(sa.String(16), "role"),
        *_of(sa.String(64), "name?"),
        *_of(sa.Double(), "expires_at", "used_at?"),
    )
    op.create_table(
        "keys",
        _key(),
        *_of(sa.String(64), "name", "digest"),
        *_of(sa.Double(), "created_at", "revoked_at?"),
        sa.UniqueConstraint("digest"),
        sa.UniqueConstraint("name"),
    )
    op.create_table(
        "log",
        _key(),
        *_of(sa.Double(), "at"),
        *_of(sa.String(64), "actor"),
        *_of(sa.String(32), "act"),
        *_of(sa.Integer(), "item?"),
        *_of(JSON, "detail"),
    )
    op.create_table(
        "people",
        _key(),
        *_of(sa.String(64), "name"),
        *_of(sa.String(16), "role"),
        *_of(sa.Text(), "password?"),
        *_of(sa.String(512), "subject?"),
        *_of(sa.Boolean(), "active"),
        *_of(JSON, "queues?"),
        *_of(sa.Boolean(), "show_text", "show_images"),
        *_of(sa.Double(), "created_at"),
        sa.UniqueConstraint("name"),
        sa.UniqueConstraint("subject"),
    )
    op.create_table(
        "items",
        _key(),
        *_of(sa.String(64), "source"),
        *_of(sa.String(8), "kind"),
        *_of(sa.String(512), "external"),
        *_of(sa.String(64), "queue"),
        *_of(sa.String(8), "state"),
        *_of(sa.Text(), "text", "image_text"),
        *_of(sa.String(256), "author?"),
        *_of(sa.String(16), "language?"),
        *_of(sa.Double(), "posted_at?", "received_at"),
        *_of(JSON, "decision?"),
        *_of(sa.String(8), "action?"),
        *_of(sa.Double(), "score?"),
        *_of(sa.String(64), "label?"),
        *_of(sa.Text(), "flagged"),
        *_of(sa.Integer(), "reports"),
        *_of(sa.Double(), "urgency", "uncertainty", "shuffle"),
        *_of(sa.String(64), "likeness?"),
        *_of(sa.String(32), "stratum"),
        *_of(sa.Double(), "inclusion"),
        *_of(sa.Boolean(), "blind"),
        *_of(sa.Integer(), "needed"),
        *_of(JSON, "expected?"),
        _reference("appeal_of?", "items.id"),
        *_of(sa.Text(), "appeal_reason"),
        _reference("claimed_by?", "people.id"),
        *_of(sa.Double(), "claimed_at?", "claim_expires_at?"),
        *_of(JSON, "outcome?"),
        *_of(sa.Boolean(), "hateful?"),
        *_of(sa.Double(), "decided_at?", "erased_at?"),
        sa.UniqueConstraint("source", "kind", "external"),
    )
    op.create_table(
        "sessions",
        sa.Column("digest", sa.String(64), primary_key=True),
        _reference("person", "people.id"),
        *_of(sa.String(64), "csrf"),
        *_of(sa.Double(), "expires_at"),
    )
    op.create_table(
        "deliveries",
        sa.Column("id", sa.String(64), primary_key=True),
        _reference("item", "items.id"),
        *_of(sa.String(32), "event"),
        *_of(sa.Text(), "body"),
        *_of(sa.Integer(), "attempts"),
        *_of(sa.Double(), "next_at?", "delivered_at?"),
        *_of(sa.Text(), "problem"),
    )
    op.create_table(
        "images",
        _key(),
        _reference("item", "items.id"),
        *_of(sa.Integer(), "position"),
        *_of(sa.LargeBinary(), "jpeg?", "hash?"),
        *_of(sa.Text(), "problem"),
    )
    op.create_table(
        "likenesses",
        sa.Column("band", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("item", sa.Integer(), sa.ForeignKey("items.id"), primary_key=True),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "reports",
        _key(),
        _reference("item", "items.id"),
        *_of(sa.String(256), "reporter"),
        *_of(sa.Text(), "reason"),
        *_of(sa.Double(), "at"),
        sa.UniqueConstraint("item", "reporter"),
    )
    op.create_table(
        "votes",
        _key(),
        _reference("item", "items.id"),
        _reference("person", "people.id"),
        *_of(sa.String(8), "kind"),
        *_of(sa.String(64), "queue", "submission"),
        *_of(JSON, "labels"),
        *_of(sa.String(32), "action?"),
        *_of(sa.Text(), "clause", "comment"),
        *_of(sa.Boolean(), "blind"),
        *_of(sa.Double(), "claimed_at", "decided_at", "undone_at?"),
        sa.UniqueConstraint("item", "submission"),
    )
    for table, *columns in INDEXES:
        op.create_index(f"ix_{table}_{'_'.join(columns)}", table, columns)
    for order in ("urgency", "uncertainty", "shuffle"):
        op.create_index(f"ix_items_queue_{order}", "items", ["queue", "state", order, *FILTERED])
    op.create_index("ix_items_claimed_by", "items", ["claimed_by"], sqlite_where=CLAIMED, postgresql_where=CLAIMED)
    op.create_index(
        "uq_votes_item_person_standing",
        "votes",
        ["item", "person"],
        unique=True,
        sqlite_where=STANDING,
        postgresql_where=STANDING,
    )
    for statement in APPEND_ONLY[op.get_context().dialect.name]:
        op.execute(statement)


def _of(kind: sa.types.TypeEngine[Any], *names: str) -> list[sa.Column[Any]]:
    """Returns columns of one kind; one whose name ends in `?` may be without a value."""
    return [sa.Column(name.rstrip("?"), kind, nullable=name.endswith("?")) for name in names]


def _key() -> sa.Column[int]:
    return sa.Column("id", sa.Integer(), primary_key=True)


def _reference(name: str, to: str) -> sa.Column[int]:
    return sa.Column(name.rstrip("?"), sa.Integer(), sa.ForeignKey(to), nullable=name.endswith("?"))
