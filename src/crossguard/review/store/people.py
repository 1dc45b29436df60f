"""People, their sessions and the links that invite them. Tokens are stored as digests only."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass, replace
from itertools import count
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, bindparam, delete, insert, select, update

from crossguard.errors import suggest
from crossguard.review.errors import NotFoundError, ReviewError
from crossguard.review.roles import RIGHTS, Right, Role
from crossguard.review.store import log
from crossguard.review.store.database import NAMES, take_turns
from crossguard.review.store.schema import DAY, invitations, people, sessions

INVITATION_S: Final = 7 * DAY
_SESSION: Final = (
    select(people, sessions.c.csrf, sessions.c.digest)
    .join(sessions, sessions.c.person == people.c.id)
    .where(sessions.c.digest == bindparam("digest"), sessions.c.expires_at > bindparam("now"), people.c.active)
)  # built once, as every request needs it


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who may log in."""

    id: int
    name: str
    role: Role
    active: bool = True
    queues: tuple[str, ...] | None = None  # names of the queues that they may work in; None is all
    show_text: bool = False  # whether they want text unmasked from the start
    show_images: bool = False  # whether they want images without blur from the start
    show_colours: bool = False  # whether they want images in their colours, not grey
    created_at: float = 0.0  # seconds since 1970

    def may(self, right: Right) -> bool:
        """Whether the role includes a right."""
        return right in RIGHTS[self.role]

    def sees(self, queue: str) -> bool:
        """Whether the person may work in a queue."""
        return self.queues is None or queue in self.queues


@dataclass(frozen=True, slots=True)
class Session:
    """A login."""

    digest: str
    person: Person
    csrf: str


def add(tx: Connection, name: str, role: Role, now: float, *, password: str | None = None) -> Person:
    """Adds a person; `password` is an argon2 hash.

    Raises:
        ReviewError: The name is empty, too long or taken.
    """
    name = name.strip()
    if not 0 < len(name) <= 64 or not name.isprintable():  # noqa: PLR2004 - the column's width
        raise ReviewError("A name has 1 to 64 printable characters.")
    take_turns(tx, NAMES)
    if name.lower() in _taken(tx):
        raise ReviewError(f"The name '{name}' is taken. Choose another.")
    if role is Role.ADMIN and tx.execute(select(people.c.id).where(people.c.role == role.value)).first() is None:
        # Each start printed a link for the first admin; those in old logs must not make a second one.
        _end_links(tx, invitations.c.name.is_(None) & (invitations.c.role == role.value))
    values = {"name": name, "role": role.value, "password": password, "created_at": now}
    row = tx.execute(insert(people).values(**values).returning(people.c.id)).scalar_one()
    return Person(row, name, role, created_at=now)


def by_subject(tx: Connection, subject: str, name: str, role: Role | None, now: float) -> Person:
    """Returns the person whom a provider knows by a key; adds who is new.

    `subject` names the provider, too: another one may have the same key for somebody else. Where it says no role,
    somebody new is a reviewer, and whoever is known keeps theirs. A name that somebody else has gets a number, so that
    nobody takes over an account by being called like its owner.
    """
    row = tx.execute(select(people).where(people.c.subject == digest(subject))).first()
    if row is None:
        taken = _taken(tx)
        numbered = (name if number == 1 else f"{name} {number}" for number in count(1))
        person = add(tx, next(free for free in numbered if free.lower() not in taken), role or Role.REVIEWER, now)
        change(tx, person.id, subject=digest(subject))
        log.record(tx, now, person.name, "join", role=person.role.value)
        return person
    known = _person(row)
    if role is None or known.role is role:
        return known
    change(tx, row.id, role=role.value)
    log.record(tx, now, known.name, "change role", None, role=role.value, before=known.role.value)
    return replace(known, role=role)


def everybody(db: Connection) -> list[Person]:
    """Returns all people by name."""
    return [_person(row) for row in db.execute(select(people).order_by(people.c.name))]


def by_name(db: Connection, name: str, *, lock: bool = False) -> tuple[Person, str | None]:
    """Returns a person and the hash of their password; no other transaction changes one that is locked.

    Raises:
        NotFoundError: Nobody has that name.
    """
    known = _taken(db)
    own = known.get(name.strip().lower())
    query = select(people).where(people.c.name == own)
    row = db.execute(query.with_for_update() if lock else query).first()
    if row is None:
        raise NotFoundError(f"There is nobody named '{name}'.{suggest(name, filter(None, known.values()))}")
    return _person(row), row.password


def _taken(db: Connection) -> dict[str, str | None]:
    """Returns what people are called by the name in small letters, which not every database knows beyond ASCII."""
    return {log.COMMAND_LINE: None} | {name.lower(): name for name in db.execute(select(people.c.name)).scalars()}


def change(tx: Connection, person: int, **values: Any) -> None:
    """Changes columns of a person.

    Someone who is no longer active is logged out, and links for them end, as with a new password. Whoever is no longer
    an admin could have kept links for somebody new, so all of these end.
    """
    before = tx.execute(select(people.c.name, people.c.role).where(people.c.id == person)).one()
    tx.execute(update(people).where(people.c.id == person).values(**values))
    left = values.get("active") is False
    if left or "password" in values:
        tx.execute(delete(sessions).where(sessions.c.person == person))
        _end_links(tx, invitations.c.name == before.name)
    if before.role == Role.ADMIN and (left or values.get("role", Role.ADMIN) != Role.ADMIN):
        _end_links(tx, invitations.c.name.is_(None))


def start_session(tx: Connection, person: int, now: float, seconds: float) -> str:
    """Logs a person in and returns the token for their cookie; sessions that ended are removed."""
    token = secrets.token_urlsafe(32)
    tx.execute(delete(sessions).where(sessions.c.expires_at <= now))
    values = {"digest": digest(token), "person": person, "csrf": secrets.token_urlsafe(32), "expires_at": now + seconds}
    tx.execute(insert(sessions).values(**values))
    return token


def session_of(db: Connection, token: str, now: float) -> Session | None:
    """Returns the login of a cookie's token."""
    row = db.execute(_SESSION, {"digest": digest(token), "now": now}).first()
    return None if row is None else Session(row.digest, _person(row), row.csrf)


def end_session(tx: Connection, session: str) -> None:
    """Logs out."""
    tx.execute(delete(sessions).where(sessions.c.digest == session))


def invite(tx: Connection, role: Role, now: float, name: str | None = None) -> str:
    """Makes a one-time link's token, for somebody new or for a person who needs a new password.

    Raises:
        NotFoundError: Nobody has that name.
    """
    if name is not None:
        name = by_name(tx, name)[0].name
    token = secrets.token_urlsafe(24)
    values = {"digest": digest(token), "role": role.value, "name": name, "expires_at": now + INVITATION_S}
    tx.execute(insert(invitations).values(**values))
    return token


def invitation(db: Connection, token: str, now: float) -> Any:
    """Returns the invitation of a token.

    Raises:
        NotFoundError: It was used, has ended, or never was.
    """
    valid = (invitations.c.digest == digest(token), invitations.c.used_at.is_(None), invitations.c.expires_at > now)
    row = db.execute(select(invitations).where(*valid).with_for_update()).first()
    if row is None:
        raise NotFoundError("This link was used, or has ended. Ask an admin for a new one.")
    return row


def use_invitation(tx: Connection, token: str, now: float) -> None:
    """Makes sure that a link works once."""
    tx.execute(update(invitations).where(invitations.c.digest == digest(token)).values(used_at=now))


def _end_links(tx: Connection, which: ColumnElement[bool]) -> None:
    tx.execute(delete(invitations).where(which, invitations.c.used_at.is_(None)))


def digest(text: str) -> str:
    """Returns what is stored in place of a text, by which it is known again.

    That is no secret of words, which can be guessed; tokens are long and random, so that a plain hash is enough.
    """
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _person(row: Any) -> Person:
    queues = None if row.queues is None else tuple(row.queues)
    shown = (row.show_text, row.show_images, row.show_colours)
    return Person(row.id, row.name, Role(row.role), row.active, queues, *shown, row.created_at)
