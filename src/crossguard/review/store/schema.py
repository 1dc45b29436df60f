"""The tables. Times are seconds since 1970 (UTC); a decision is kept as the JSON record that scoring wrote."""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa

MINUTE: Final = 60.0
HOUR: Final = 3600.0
DAY: Final = 86_400.0
SUM: Final = 4
"""Characters of a checksum of words."""
Json = sa.JSON(none_as_null=True)
CLAIMED, EDITED, APPEALS = (sa.text(f"{name} IS NOT NULL") for name in ("claimed_by", "version_of", "appeal_of"))
FILTERED: Final = ("flagged", "kind", "source", "language", "author", "score", "received_at")

metadata = sa.MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)

people = sa.Table(
    "people",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("name", sa.String(64), nullable=False, unique=True),
    sa.Column("role", sa.String(16), nullable=False),
    sa.Column("password", sa.Text),  # argon2 hash; null until chosen
    sa.Column("subject", sa.String(512), unique=True),  # sha256 of an OpenID provider and its key of the person
    sa.Column("active", sa.Boolean, nullable=False, default=True),
    sa.Column("queues", Json),  # names that the person may work in; null is all
    sa.Column("show_text", sa.Boolean, nullable=False, default=False),
    sa.Column("show_images", sa.Boolean, nullable=False, default=False),
    sa.Column("show_colours", sa.Boolean, nullable=False, default=False, server_default=sa.false()),
    sa.Column("created_at", sa.Double, nullable=False),
)

sessions = sa.Table(
    "sessions",
    metadata,
    sa.Column("digest", sa.String(64), primary_key=True),  # sha256 of the cookie
    sa.Column("person", sa.ForeignKey("people.id"), nullable=False, index=True),
    sa.Column("csrf", sa.String(64), nullable=False),
    sa.Column("expires_at", sa.Double, nullable=False),
)

invitations = sa.Table(
    "invitations",
    metadata,
    sa.Column("digest", sa.String(64), primary_key=True),  # sha256 of the link's token
    sa.Column("role", sa.String(16), nullable=False),
    sa.Column("name", sa.String(64)),  # of an existing person, who chooses a new password
    sa.Column("expires_at", sa.Double, nullable=False),
    sa.Column("used_at", sa.Double),
)

attempts = sa.Table(
    "attempts",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("key", sa.String(128), nullable=False),  # name or address that failed to log in
    sa.Column("at", sa.Double, nullable=False),
    sa.Index(None, "key", "at"),
)

keys = sa.Table(
    "keys",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("name", sa.String(64), nullable=False, unique=True),
    sa.Column("digest", sa.String(64), nullable=False, unique=True),
    sa.Column("created_at", sa.Double, nullable=False),
    sa.Column("revoked_at", sa.Double),
)

items = sa.Table(
    "items",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("source", sa.String(64), nullable=False),
    sa.Column("kind", sa.String(8), nullable=False),  # flag, report, audit, appeal or gold
    sa.Column("external", sa.String(512), nullable=False),  # the caller's id of the post, or of the appeal
    sa.Column("version_of", sa.String(512)),  # the caller's id of a post that was edited since; its number is behind it
    sa.Column("queue", sa.String(64), nullable=False),
    sa.Column("state", sa.String(8), nullable=False),  # open, decided, gold, or erased before a decision
    sa.Column("text", sa.Text, nullable=False),
    sa.Column("image_text", sa.Text, nullable=False),
    sa.Column("author", sa.String(256)),
    sa.Column("language", sa.String(16)),
    sa.Column("posted_at", sa.Double),
    sa.Column("received_at", sa.Double, nullable=False),
    sa.Column("decision", Json),  # the record of scoring, as it came
    sa.Column("action", sa.String(8)),  # what the model asked for; null where it could not score
    sa.Column("score", sa.Double),  # highest of the labels
    sa.Column("label", sa.String(64)),  # the label of that score
    sa.Column("flagged", sa.Text, nullable=False, default=""),  # labels with a flag or an action, each between spaces
    sa.Column("reports", sa.Integer, nullable=False, default=0),
    sa.Column("urgency", sa.Double, nullable=False),
    sa.Column("uncertainty", sa.Double, nullable=False),
    sa.Column("shuffle", sa.Double, nullable=False),  # uniform in [0, 1)
    sa.Column("likeness", sa.String(64)),  # equal for near-duplicates: the key of the first of them
    sa.Column("stratum", sa.String(32), nullable=False),
    sa.Column("inclusion", sa.Double, nullable=False),  # probability of having been taken into the console
    sa.Column("blind", sa.Boolean, nullable=False, default=False),
    sa.Column("needed", sa.Integer, nullable=False, default=1),  # votes
    sa.Column("expected", Json),  # the known answer of a golden item
    sa.Column("appeal_of", sa.ForeignKey("items.id")),
    sa.Column("appeal_reason", sa.Text, nullable=False, default=""),
    sa.Column("claimed_by", sa.ForeignKey("people.id")),
    sa.Column("claimed_at", sa.Double),
    sa.Column("claim_expires_at", sa.Double),
    sa.Column("outcome", Json),
    sa.Column("hateful", sa.Boolean),  # whether at least half of the votes gave a label; null until decided
    sa.Column("decided_at", sa.Double),
    sa.Column("erased_at", sa.Double),
    sa.UniqueConstraint("source", "kind", "external"),
    # A queue's page is found in these alone, whatever the filters: rows are wide.
    *(
        sa.Index(f"ix_items_queue_{order}", "queue", "state", order, *FILTERED)
        for order in ("urgency", "uncertainty", "shuffle")
    ),
    sa.Index(None, "state", "queue", "received_at"),
    sa.Index(None, "claimed_by", sqlite_where=CLAIMED, postgresql_where=CLAIMED),
    sa.Index(None, "version_of", sqlite_where=EDITED, postgresql_where=EDITED),
    sa.Index(None, "appeal_of", sqlite_where=APPEALS, postgresql_where=APPEALS),
    sa.Index(None, "likeness", "queue", "state"),
    sa.Index(None, "author"),
    sa.Index(None, "state", "decided_at"),
    sa.Index(None, "received_at"),
)

likenesses = sa.Table(
    "likenesses",
    metadata,
    sa.Column("band", sa.BigInteger, primary_key=True, autoincrement=False),  # of the words, or of an image
    sa.Column("item", sa.ForeignKey("items.id"), primary_key=True),  # the first of its near-duplicates
    sa.Index(None, "item"),
    sqlite_with_rowid=False,
)

images = sa.Table(
    "images",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("item", sa.ForeignKey("items.id"), nullable=False, index=True),
    sa.Column("position", sa.Integer, nullable=False),
    sa.Column("jpeg", sa.LargeBinary),  # decoded and encoded again by us; null where that failed
    sa.Column("hash", sa.LargeBinary),  # perceptual, 256 bits
    sa.Column("problem", sa.Text, nullable=False, default=""),
)

reports = sa.Table(
    "reports",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("item", sa.ForeignKey("items.id"), nullable=False),
    sa.Column("reporter", sa.String(256), nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("at", sa.Double, nullable=False),
    sa.UniqueConstraint("item", "reporter"),
)

votes = sa.Table(
    "votes",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("item", sa.ForeignKey("items.id"), nullable=False),
    sa.Column("person", sa.ForeignKey("people.id")),  # null for a suggestion from outside
    sa.Column("kind", sa.String(8), nullable=False),  # vote, skip, escalate or suggest
    sa.Column("queue", sa.String(64), nullable=False),  # where the item was
    sa.Column("submission", sa.String(64), nullable=False),  # chosen by the page, so that sending twice counts once
    sa.Column("labels", Json, nullable=False),  # label -> yes, no or unsure; of a suggestion, attribute -> its score
    sa.Column("action", sa.String(32)),
    sa.Column("clause", sa.Text, nullable=False, default=""),
    sa.Column("comment", sa.Text, nullable=False, default=""),
    sa.Column("blind", sa.Boolean, nullable=False, default=False),
    sa.Column("claimed_at", sa.Double, nullable=False),
    sa.Column("decided_at", sa.Double, nullable=False),
    sa.Column("undone_at", sa.Double),
    sa.UniqueConstraint("item", "submission"),
    sa.Index(
        "uq_votes_item_person_standing",
        "item",
        "person",
        unique=True,
        sqlite_where=sa.text("undone_at IS NULL"),
        postgresql_where=sa.text("undone_at IS NULL"),
    ),
    sa.Index(None, "person", "decided_at"),
    sa.Index(None, "submission"),
)

feed = sa.Table(
    "feed",
    metadata,
    sa.Column("source", sa.String(64), primary_key=True),
    sa.Column("day", sa.Integer, primary_key=True),  # days since 1970
    sa.Column("stratum", sa.String(32), primary_key=True),
    sa.Column("posts", sa.Integer, nullable=False),  # all that came by, taken or not
)

counted = sa.Table(
    "counted",
    metadata,
    sa.Column("post", sa.BigInteger, primary_key=True, autoincrement=False),  # hash of source and id
    sa.Column("day", sa.Integer, nullable=False),  # when it came last, in days since 1970
    sa.Column("counted_on", sa.Integer),  # day and stratum of which it is one of the feed's posts
    sa.Column("stratum", sa.String(32)),
    sa.Column("text_sum", sa.String(SUM)),  # null where the words are erased
    sa.Column("image_text_sum", sa.String(SUM)),
    sqlite_with_rowid=False,
)

log = sa.Table(
    "log",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("at", sa.Double, nullable=False),
    sa.Column("actor", sa.String(64), nullable=False),
    sa.Column("act", sa.String(32), nullable=False),
    sa.Column("item", sa.Integer),
    sa.Column("detail", Json, nullable=False),
    sa.Index(None, "item"),
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
    _made = sa.DDL(_statement)  # type: ignore[no-untyped-call]  # SQLAlchemy gives it no types
    sa.event.listen(log, "after_create", _made.execute_if(dialect=_dialect))

deliveries = sa.Table(
    "deliveries",
    metadata,
    sa.Column("id", sa.String(64), primary_key=True),
    sa.Column("item", sa.ForeignKey("items.id"), nullable=False),
    sa.Column("event", sa.String(32), nullable=False),
    sa.Column("body", sa.Text, nullable=False),
    sa.Column("attempts", sa.Integer, nullable=False, default=0),
    sa.Column("next_at", sa.Double),  # null when it is delivered or given up
    sa.Column("delivered_at", sa.Double),
    sa.Column("problem", sa.Text, nullable=False, default=""),
    sa.Index(None, "item"),
    sa.Index(None, "next_at"),
)
