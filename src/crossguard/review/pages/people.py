"""People, keys and erasure: what admins do."""

from __future__ import annotations

import json
from dataclasses import replace

from starlette.responses import Response

from crossguard.errors import number_of, suggest
from crossguard.review.errors import FormError, ReviewError
from crossguard.review.pages.visit import Visit
from crossguard.review.roles import Role
from crossguard.review.store import keys, log, people, retention
from crossguard.review.store.people import Person


def show(visit: Visit, link: str = "", key: str = "", notice: str = "") -> Response:
    """Lists people and keys."""
    with visit.console.database.read() as db:
        everybody, known = people.everybody(db), keys.listed(db)
    shown = {person.id: _state(person) for person in everybody}
    return visit.render(
        "people.html.j2",
        everybody=everybody,
        shown=shown,
        keys=known,
        roles=list(Role),
        link=link,
        key=key,
        notice=notice,
    )


def invite(visit: Visit) -> Response:
    """Makes a one-time link for somebody new, or for a new password."""
    name = visit.form.get("name") or None
    with visit.console.database.write() as tx:
        role = people.by_name(tx, name)[0].role if name else _role(visit.form.get("role", ""))
        token = people.invite(tx, role, visit.now, name)
        log.record(tx, visit.now, visit.person.name, "invite", role=role.value, name=name)
    return show(visit, link=visit.absolute(f"/join/{token}"))


def change(visit: Visit) -> Response:
    """Changes role, queues or whether somebody may log in, unless the page shows what they were before.

    An older page would give access back that was taken away meanwhile.
    """
    with visit.console.database.write() as tx:
        person, _ = people.by_name(tx, visit.form.get("name", ""), lock=True)
        queues = [part.strip() for part in visit.form.get("queues", "").split(",") if part.strip()]
        known = visit.console.settings.all_queues
        for name in queues:
            if name not in {*known, *(person.queues or ())}:  # whoever is limited to one that is gone can be locked out
                raise FormError(f"Unknown queue '{name}'.{suggest(name, known)}")
        active, role = visit.form.get("active") == "on", _role(visit.form.get("role", ""))
        asked = replace(person, role=role, active=active, queues=tuple(queues) or None)
        if _state(person) not in {visit.form.get("shown"), _state(asked)}:  # as asked already: Save was clicked twice
            told = f"Somebody has changed role, queues or access of {person.name} since this page was opened."
            raise ReviewError(f"{told} Nothing was saved: open the page People again, and look at them first.")
        if person.id == visit.person.id and (not active or role is not Role.ADMIN):
            raise FormError("You cannot take your own admin rights away; ask another admin.")
        people.change(tx, person.id, role=role.value, queues=queues or None, active=active)
        changed = {"name": person.name, "role": role.value, "active": active, "queues": queues}
        log.record(tx, visit.now, visit.person.name, "change person", None, **changed)
    return visit.go("/people")


def add_key(visit: Visit) -> Response:
    """Makes a key for programs and shows it once."""
    with visit.console.database.write() as tx:
        key = keys.add(tx, visit.form.get("name", ""), visit.now)
        log.record(tx, visit.now, visit.person.name, "add key", name=visit.form.get("name", ""))
    return show(visit, key=key)


def revoke_key(visit: Visit) -> Response:
    """Ends a key."""
    with visit.console.database.write() as tx:
        keys.revoke(tx, visit.form.get("name", ""), visit.now)
        log.record(tx, visit.now, visit.person.name, "revoke key", name=visit.form.get("name", ""))
    return visit.go("/people")


def erase(visit: Visit) -> Response:
    """Erases the posts of one author."""
    author = visit.form.get("author", "").strip()
    if not author:
        raise FormError("Give the source's key of the author.")
    with visit.console.database.erase() as tx:
        count = retention.erase_author(tx, author, visit.now, visit.form.get("source", "").strip() or None)
        log.record(tx, visit.now, visit.person.name, "erase author", items=count)
    erased = f"The content of {number_of(count, 'item')} was erased, and key and reason in the author's reports"
    return show(visit, notice=f"{erased}; decisions stay.")


def _state(person: Person) -> str:
    """Returns what the form of a person changes."""
    return json.dumps([person.role.value, person.active, person.queues])


def _role(text: str) -> Role:
    try:
        return Role(text)
    except ValueError:
        raise FormError(f"Unknown role '{text}'.{suggest(text, list(Role))}") from None
