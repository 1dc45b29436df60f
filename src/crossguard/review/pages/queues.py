"""The queues: how much waits, what it is, the way to the next item, and what a person has answered."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final
from urllib.parse import urlencode

from sqlalchemy import Connection
from starlette.responses import Response

from crossguard.errors import suggest
from crossguard.review.errors import FormError, NotFoundError, ReviewError
from crossguard.review.pages.login import local_path
from crossguard.review.pages.visit import Visit, number_in
from crossguard.review.roles import Right
from crossguard.review.store import claims, items, listing, people
from crossguard.review.store.schema import DAY, MINUTE

PAGE = 30
_CHANCE: Final = random.SystemRandom()
# Of a list that a person came to because nothing of it waits for them: part of the address, as fragments get lost.
NOTHING: Final = "nothing"


def _day(text: str) -> float:
    return datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC).timestamp()


_FILTERS: Final[dict[str, Callable[[str], Any]]] = {
    **dict.fromkeys(("label", "kind", "source", "language", "author"), str),
    **dict.fromkeys(("score_from", "score_to"), float),
    "since": _day,
    "until": lambda text: _day(text) + DAY,
}


def home(visit: Visit) -> Response:
    """Shows all queues of the person."""
    with visit.console.database.read() as db:
        waiting = visit.console.waiting(db, visit.now)
        mine = claims.held_by(db, visit.person.id, visit.now)
        done = listing.seen_today(db, visit.person.id, visit.now)
        last = undoable(visit, db)
        first_steps = visit.person.may(Right.ADMINISTER) and items.only_from(db, items.DEMO)
    names = [name for name in visit.console.settings.all_queues if visit.person.sees(name)]
    rows = [(name, *waiting.get(name, (0, visit.now))) for name in names]
    return visit.render("home.html.j2", rows=rows, held=mine, done=done, last=last, first_steps=first_steps)


def queue(visit: Visit) -> Response:
    """Lists what waits in a queue."""
    name = _queue_of(visit)
    query = visit.request.query_params
    filters, order = filters_of(query), _order(query)
    after = place_of(query.get("after", ""))
    with visit.console.database.read() as db:
        rows, more = listing.page(db, name, filters, order, after=after, limit=PAGE)
        found = {
            "rows": rows,
            "after": after,
            "more": more,
            "alike": listing.alike(db, name, {row.likeness for row in rows}),
            "images": listing.first_images(db, [row.id for row in rows]),
            "count": visit.console.waiting(db, visit.now).get(name, (0, 0.0))[0],
            "nothing": NOTHING in query,
        }
        last = undoable(visit, db)
    chosen = {key: value for key, value in query.items() if value and key not in {"after", NOTHING}}
    shown = {"order": order, "chosen": chosen, "link": urlencode(chosen), "found": found, "last": last}
    return visit.render("queue.html.j2", queue=name, **shown)


def take(visit: Visit) -> Response:
    """Claims the next item of a queue and goes there."""
    name = _queue_of(visit)
    with visit.console.database.write(durable=False) as tx:
        return _go_to(visit, name, take_next(visit, tx, name))


def next_after(visit: Visit, tx: Connection, answered: Any) -> Response:
    """Claims the item after one that was answered, under the same order and filters, and goes there."""
    try:
        return _go_to(visit, answered.queue, take_next(visit, tx, answered.queue, after=answered))
    except ReviewError:  # the day's limit: the answer counts, and the start page tells
        return visit.go("/")


def take_next(visit: Visit, tx: Connection, queue: str, after: Any = None) -> int | None:
    """Claims an item under the visit's order and filters; returns its id, None when the queue holds nothing for them.

    Near-duplicates of `after`, the item that was just answered, come next, unless the order is random.

    Raises:
        FormError: The order or a filter cannot be read.
        ReviewError: The person has seen as many items today as the settings allow; nothing is changed.
    """
    settings, person, now = visit.console.settings, visit.person.id, visit.now
    order, filters = _order(visit.request.query_params), filters_of(visit.request.query_params)
    lease = settings.lease_minutes * MINUTE
    held: list[int] = [row.id for row in claims.held_by(tx, person, now) if row.queue == queue]
    if held:
        claims.renew(tx, held[0], person, now, lease)
        return held[0]
    refuse_over_limit(visit, tx)
    claim = partial(claims.claim_next, tx, person, queue, now, lease)
    found = None
    if _CHANCE.random() < settings.gold_rate:
        found = claim(order=claims.RANDOM, filters=filters, state=claims.GOLD)
    if found is None and after is not None and after.likeness is not None and order != claims.RANDOM:
        found = claim(order=claims.OLDEST, filters=filters | {"likeness": after.likeness})
    return claim(order=order, filters=filters) if found is None else found


def refuse_over_limit(visit: Visit, db: Connection) -> None:
    """Ends a person's day.

    Raises:
        ReviewError: They have seen as many items today as the settings allow.
    """
    limit = visit.console.settings.daily_limit
    if limit and listing.seen_today(db, visit.person.id, visit.now) >= limit:
        raise ReviewError(f"You have seen {limit} items today, which is the limit. See you tomorrow.")


def _go_to(visit: Visit, queue: str, item: int | None) -> Response:
    fields = visit.request.query_params
    if item is None:
        return visit.go(f"/queues/{queue}?{kept_query(fields, **{NOTHING: '1'})}")
    return visit.go(f"/items/{item}?{kept_query(fields)}")


def mine(visit: Visit) -> Response:
    """Lists a person's answers, the newest first."""
    before = place_of(visit.request.query_params.get("before", ""))
    with visit.console.database.read() as db:
        rows = listing.recent(db, visit.person.id, before=before, limit=PAGE + 1)
        done = listing.seen_today(db, visit.person.id, visit.now)
    more = (rows[PAGE - 1].decided_at, rows[PAGE - 1].id) if len(rows) > PAGE else None
    return visit.render(
        "mine.html.j2", rows=rows[:PAGE], more=more, before=before, done=done, oldest=_undo_since(visit)
    )


def undoable(visit: Visit, db: Connection) -> Any:
    """Returns the newest answer of the person while it can be taken back, else None."""
    newest = listing.recent(db, visit.person.id, limit=1)
    since = _undo_since(visit)
    return next((last for last in newest if last.decided_at >= since and visit.person.sees(last.queue)), None)


def _undo_since(visit: Visit) -> float:
    return visit.now - visit.console.settings.undo_minutes * MINUTE


def place_of(text: str) -> tuple[float, int] | None:
    """Reads where a page of a list goes on, written as `VALUE:ID`; None where nothing is said.

    Raises:
        FormError: It cannot be read.
    """
    value, _, number = text.partition(":")
    with suppress(ValueError):
        if (last := number_in(number)) is not None:
            return float(value), last
    if text:
        raise FormError(f"'{text[:80]}' is no position in this list. Open the list again from its start.")
    return None


def switches(visit: Visit) -> Response:
    """Stores the switches: text, blur of images, and their colours."""
    values = {name: visit.form.get(name) == "on" for name in ("show_text", "show_images", "show_colours")}
    with visit.console.database.write() as tx:
        people.change(tx, visit.person.id, **values)
    return visit.go(local_path(visit.form.get("back", "/me")))


def filters_of(fields: Mapping[str, str]) -> dict[str, Any]:
    """Reads filters from a query, as `claims.Filters`.

    Raises:
        FormError: A score or a day cannot be read.
    """
    given = {key: fields[key].strip() for key in _FILTERS if fields.get(key, "").strip()}
    try:
        return {key: _FILTERS[key](text) for key, text in given.items()}
    except ValueError:
        raise FormError("A score is a number such as 0.5, and a day is written as 2026-11-25.") from None


def kept_query(fields: Mapping[str, str], **more: str) -> str:
    """Returns the order and filters under which a person works, to be carried along, and more."""
    return urlencode({key: fields[key] for key in ("order", *_FILTERS) if fields.get(key)} | more)


def _order(fields: Mapping[str, str]) -> str:
    order = fields.get("order") or claims.URGENT
    if order not in claims.ORDERS:
        raise FormError(f"Unknown order '{order}'.{suggest(order, claims.ORDERS)}")
    return order


def _queue_of(visit: Visit) -> str:
    name = str(visit.request.path_params["queue"])
    known = visit.console.settings.all_queues
    if name not in known:
        raise NotFoundError(f"Unknown queue '{name}'.{suggest(name, known)}")
    visit.check_queue(name)
    return name
