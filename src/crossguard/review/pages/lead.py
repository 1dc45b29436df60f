"""What leads and auditors do: reopen an item, make golden items, read the log."""

from __future__ import annotations

from starlette.responses import Response

from crossguard.review.errors import ReviewError
from crossguard.review.pages.templating import render
from crossguard.review.pages.visit import Visit
from crossguard.review.store import golden, items, log, votes


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
        golden.copy(tx, row, visit.now)
        log.record(tx, visit.now, visit.person.name, "make golden", row.id)
    return visit.go(f"/items/{visit.item}")


def read_log(visit: Visit) -> Response:
    """Shows deliberate acts, the newest first."""
    query = visit.request.query_params
    before = int(query["before"]) if query.get("before", "").isdigit() else None
    item = int(query["item"]) if query.get("item", "").isdigit() else None
    with visit.console.database.read() as db:
        rows = log.entries(db, item=item, before=before)
    return render(visit, "log.html.j2", rows=rows, item=item)
