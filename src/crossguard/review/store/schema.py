"""The tables. Times are seconds since 1970 (UTC); a decision is kept as the JSON record that scoring wrote."""

from __future__ import annotations

from typing import Final

from sqlalchemy import (
    DDL,
    JSON,
    BigInteger,
    Boolean,
    Column,
    Double,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    event,
    false,
    text,
)

Json = JSON(none_as_null=True)
CLAIMED: Final = text("claimed_by IS NOT NULL")
FILTERED: Final = ("flagged", "kind", "source", "language", "author", "score", "received_at")

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)

people = Table(
    "people",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", String(64), nullable=False, unique=True),
    Column("role", String(16), nullable=False),
    Column("password", Text),  # argon2 hash; null until chosen
    Column("subject", String(512), unique=True),  # the OpenID provider's key of the person
    Column("active", Boolean, nullable=False, default=True),
    Column("queues", Json),  # names that the person may work in; null is all
    Column("show_text", Boolean, nullable=False, default=False),
    Column("show_images", Boolean, nullable=False, default=False),
    Column("show_colours", Boolean, nullable=False, default=False, server_default=false()),
    Column("created_at", Double, nullable=False),
)

sessions = Table(
    "sessions",
    metadata,
    Column("digest", String(64), primary_key=True),  # sha256 of the cookie
    Column("person", ForeignKey("people.id"), nullable=False, index=True),
    Column("csrf", String(64), nullable=False),
    Column("expires_at", Double, nullable=False),
)

invitations = Table(
    "invitations",
    metadata,
    Column("digest", String(64), primary_key=True),  # sha256 of the link's token
    Column("role", String(16), nullable=False),
    Column("name", String(64)),  # of an existing person, who chooses a new password
    Column("expires_at", Double, nullable=False),
    Column("used_at", Double),
)

attempts = Table(
    "attempts",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("key", String(128), nullable=False),  # name or address that failed to log in
    Column("at", Double, nullable=False),
    Index(None, "key", "at"),
)

keys = Table(
    "keys",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", String(64), nullable=False, unique=True),
    Column("digest", String(64), nullable=False, unique=True),
    Column("created_at", Double, nullable=False),
    Column("revoked_at", Double),
)

items = Table(
    "items",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("source", String(64), nullable=False),
    Column("kind", String(8), nullable=False),  # flag, report, audit, appeal or gold
    Column("external", String(512), nullable=False),  # the caller's id of the post, or of the appeal
    Column("queue", String(64), nullable=False),
    Column("state", String(8), nullable=False),  # open, decided or gold
    Column("text", Text, nullable=False),
    Column("image_text", Text, nullable=False),
    Column("author", String(256)),
    Column("language", String(16)),
    Column("posted_at", Double),
    Column("received_at", Double, nullable=False),
    Column("decision", Json),  # the record of scoring, as it came
    Column("action", String(8)),  # what the model asked for; null where it could not score
    Column("score", Double),  # highest of the labels
    Column("label", String(64)),  # the label of that score
    Column("flagged", Text, nullable=False, default=""),  # labels that the model flagged, a space around each
    Column("reports", Integer, nullable=False, default=0),
    Column("urgency", Double, nullable=False),
    Column("uncertainty", Double, nullable=False),
    Column("shuffle", Double, nullable=False),  # uniform in [0, 1)
    Column("likeness", String(64)),  # equal for near-duplicates: the key of the first of them
    Column("stratum", String(32), nullable=False),
    Column("inclusion", Double, nullable=False),  # probability of having been taken into the console
    Column("blind", Boolean, nullable=False, default=False),
    Column("needed", Integer, nullable=False, default=1),  # votes
    Column("expected", Json),  # the known answer of a golden item
    Column("appeal_of", ForeignKey("items.id")),
    Column("appeal_reason", Text, nullable=False, default=""),
    Column("claimed_by", ForeignKey("people.id")),
    Column("claimed_at", Double),
    Column("claim_expires_at", Double),
    Column("outcome", Json),
    Column("hateful", Boolean),  # whether at least half of the votes gave a label; null until decided
    Column("decided_at", Double),
    Column("erased_at", Double),
    UniqueConstraint("source", "kind", "external"),
    # A queue's page is found in these alone, whatever the filters: rows are wide.
    *(
        Index(f"ix_items_queue_{order}", "queue", "state", order, *FILTERED)
        for order in ("urgency", "uncertainty", "shuffle")
    ),
    Index(None, "state", "queue", "received_at"),
    Index(None, "claimed_by", sqlite_where=CLAIMED, postgresql_where=CLAIMED),
    Index(None, "likeness", "queue", "state"),
    Index(None, "author"),
    Index(None, "state", "decided_at"),
    Index(None, "received_at"),
)

likenesses = Table(
    "likenesses",
    metadata,
    Column("band", BigInteger, primary_key=True, autoincrement=False),  # of the words, or of an image
    Column("item", ForeignKey("items.id"), primary_key=True),  # the first of its near-duplicates
    Index(None, "item"),
    sqlite_with_rowid=False,
)

images = Table(
    "images",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("item", ForeignKey("items.id"), nullable=False, index=True),
    Column("position", Integer, nullable=False),
    Column("jpeg", LargeBinary),  # decoded and encoded again by us; null where that failed
    Column("hash", LargeBinary),  # perceptual, 256 bits
    Column("problem", Text, nullable=False, default=""),
)

reports = Table(
    "reports",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("item", ForeignKey("items.id"), nullable=False),
    Column("reporter", String(256), nullable=False),
    Column("reason", Text, nullable=False),
    Column("at", Double, nullable=False),
    UniqueConstraint("item", "reporter"),
)

votes = Table(
    "votes",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("item", ForeignKey("items.id"), nullable=False),
    Column("person", ForeignKey("people.id")),  # null for a suggestion from outside
    Column("kind", String(8), nullable=False),  # vote, skip, escalate or suggest
    Column("queue", String(64), nullable=False),  # where the item was
    Column("submission", String(64), nullable=False),  # chosen by the page, so that sending twice counts once
    Column("labels", Json, nullable=False),  # label -> yes, no or unsure; of a suggestion, attribute -> its score
    Column("action", String(32)),
    Column("clause", Text, nullable=False, default=""),
    Column("comment", Text, nullable=False, default=""),
    Column("blind", Boolean, nullable=False, default=False),
    Column("claimed_at", Double, nullable=False),
    Column("decided_at", Double, nullable=False),
    Column("undone_at", Double),
    UniqueConstraint("item", "submission"),
    Index(
        "uq_votes_item_person_standing",
        "item",
        "person",
        unique=True,
        sqlite_where=text("undone_at IS NULL"),
        postgresql_where=text("undone_at IS NULL"),
    ),
    Index(None, "person", "decided_at"),
    Index(None, "submission"),
)

feed = Table(
    "feed",
    metadata,
    Column("source", String(64), primary_key=True),
    Column("day", Integer, primary_key=True),  # days since 1970
    Column("stratum", String(32), primary_key=True),
    Column("posts", Integer, nullable=False),  # all that came by, taken or not
)

log = Table(
    "log",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("at", Double, nullable=False),
    Column("actor", String(64), nullable=False),
    Column("act", String(32), nullable=False),
    Column("item", Integer),
    Column("detail", Json, nullable=False),
    Index(None, "item"),
)

# The log can be added to, and nothing else.
_SAID: Final = "'the audit log is append-only'"
_APPEND_ONLY: Final = (
    ("sqlite", f"CREATE TRIGGER log_no_update BEFORE UPDATE ON log BEGIN SELECT RAISE(ABORT, {_SAID}); END"),
    ("sqlite", f"CREATE TRIGGER log_no_delete BEFORE DELETE ON log BEGIN SELECT RAISE(ABORT, {_SAID}); END"),
    (
        "postgresql",
        (
            "CREATE FUNCTION log_is_append_only() RETURNS trigger LANGUAGE plpgsql AS "
            f"$$ BEGIN RAISE EXCEPTION {_SAID}; END $$"
        ),
    ),
    (
        "postgresql",
        (
            "CREATE TRIGGER log_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON log "
            "FOR EACH STATEMENT EXECUTE FUNCTION log_is_append_only()"
        ),
    ),
)
for _dialect, _statement in _APPEND_ONLY:
    _made = DDL(_statement)  # type: ignore[no-untyped-call]  # SQLAlchemy gives it no types
    event.listen(log, "after_create", _made.execute_if(dialect=_dialect))

deliveries = Table(
    "deliveries",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("item", ForeignKey("items.id"), nullable=False),
    Column("event", String(32), nullable=False),
    Column("body", Text, nullable=False),
    Column("attempts", Integer, nullable=False, default=0),
    Column("next_at", Double),  # null when it is delivered or given up
    Column("delivered_at", Double),
    Column("problem", Text, nullable=False, default=""),
    Index(None, "item"),
    Index(None, "next_at"),
)
