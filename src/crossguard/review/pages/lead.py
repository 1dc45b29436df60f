"""What leads and auditors do: reopen an item, make golden items, read the log."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, select
from starlette.responses import Response

from crossguard.review.errors import ReviewError
from crossguard.review.intake import ROUTED
from crossguard.review.pages.templating import render
from crossguard.review.pages.visit import Visit, number_in
from crossguard.review.resolution import VALUES, Answer
from crossguard.review.settings import MAIN
from crossguard.review.store import items, log, votes
from crossguard.review.store.schema import items as table


def reopen(visit: Visit) -> Response:
    """Takes back all votes on an item, so that it is decided anew by others or the same."""
    with visit.console.database.write() as tx:
        votes.clear(tx, visit.item, visit.person, visit.now)
    return visit.go(f"/items/{visit.item}")


def make_golden(visit: Visit) -> Response:
    """Copies a decided item as a golden one with its outcome as the known answer."""
    with visit.console.database.write() as tx:
        row = items.get(tx, visit.item)
        if row.outcome is None or row.erased_at is not None:
            raise ReviewError("Only a decided item whose content is still there can become a golden item.")
        _copy(tx, row, visit.now)
        log.record(tx, visit.now, visit.person.name, "make golden", row.id)
    return visit.go(f"/items/{visit.item}")


def _copy(tx: Connection, row: Any, now: float) -> None:
    same = (table.c.kind == "gold", table.c.source == row.source, table.c.external == row.external)
    if tx.execute(select(table.c.id).where(*same)).first() is not None:
        raise ReviewError("There is a golden item of this post already.")
    answers = {
        name: Answer.YES if value > VALUES[Answer.UNSURE] else Answer.NO
        for name, value in row.outcome["labels"].items()
    }
    expected = {"action": row.outcome["action"], "labels": answers}
    place = {"kind": "gold", "queue": MAIN, "state": "gold", "stratum": ROUTED, "inclusion": 1.0, "blind": row.blind}
    items.copy(tx, row, **place, received_at=now, expected=expected)


def read_log(visit: Visit) -> Response:
    """Shows deliberate acts, the newest first."""
    query = visit.request.query_params
    before, item = (number_in(query.get(name, "")) for name in ("before", "item"))
    with visit.console.database.read() as db:
        rows = log.entries(db, item=item, before=before)
    return render(visit, "log.html.j2", rows=rows, item=item)
