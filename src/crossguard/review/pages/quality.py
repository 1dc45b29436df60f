"""What leads and auditors see and do: how the work goes, every estimate drawn; reopening, golden items, the log."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from sqlalchemy import Connection
from starlette.background import BackgroundTask
from starlette.responses import FileResponse, Response

from crossguard.evaluation.estimates import Estimate
from crossguard.review.console import Console
from crossguard.review.errors import FormError, NotFoundError, ReviewError
from crossguard.review.export import SUFFIXES, export
from crossguard.review.pages.item import seen
from crossguard.review.pages.templating import moment
from crossguard.review.pages.visit import Visit, number_in
from crossguard.review.quality import agreement, days, model, reading
from crossguard.review.settings import APPEALS, ESCALATED, MAIN
from crossguard.review.store import deliveries, golden, listing, log, votes
from crossguard.review.store.schema import DAY

FRESH_S, STALE_S = 60.0, 600.0
_ENTRIES = 100


def show(visit: Visit) -> Response:
    """Shows how the work goes; metrics that are older than a minute are shown once more, and renewed meanwhile."""
    console = visit.console
    if _age(console, visit.now) >= STALE_S:
        _renew(console, STALE_S)
    elif _age(console, visit.now) > FRESH_S and not console.measuring.locked():
        threading.Thread(target=_renew, args=(console, FRESH_S), daemon=True).start()
    assert console.measured is not None
    at, found = console.measured
    with console.database.read() as db:
        messages = deliveries.state(db) if console.settings.webhook_url else None
    return visit.render("quality.html.j2", measured_at=moment(at), messages=messages, suffixes=SUFFIXES, **found)


def retry(visit: Visit) -> Response:
    """Tries again to send the messages that were given up."""
    with visit.console.database.write() as tx:
        count = deliveries.retry(tx, visit.now)
        log.record(tx, visit.now, visit.person.name, "retry messages", messages=count)
    return visit.go("/quality")


def download(visit: Visit) -> Response:
    """Sends what people decided, in queues that the person sees, as a table without images."""
    name = str(visit.request.path_params["name"])
    if name not in {f"decided{suffix}" for suffix in SUFFIXES}:
        raise NotFoundError(f"Exports end in {', '.join(SUFFIXES)}.")
    with ExitStack() as stack:
        path = Path(stack.enter_context(TemporaryDirectory())) / name
        labels, queues = visit.console.settings.labels, visit.person.queues
        done = export(visit.console.database, labels, path, with_images=False, queues=queues)
        with visit.console.database.write() as tx:
            log.record(tx, visit.now, visit.person.name, "export", items=done.rows)
        return FileResponse(path, filename=name, background=BackgroundTask(stack.pop_all().close))


def _age(console: Console, now: float) -> float:
    if console.measured is None or console.measured[0] > now:  # the clock was set back
        return STALE_S
    return now - console.measured[0]


def _renew(console: Console, oldest_s: float) -> None:
    with console.measuring:
        now = console.now()
        if _age(console, now) >= oldest_s:  # nobody has measured while this one waited
            console.measured = (now, measure(console, now))


def measure(console: Console, now: float) -> dict[str, Any]:
    """Returns everything that the page shows."""
    labels = console.settings.labels
    with console.database.read() as db:
        found, strata, flagged_waiting = reading.decided(db), reading.strata(db), reading.flagged_waiting(db)
        answers, known = reading.answers_by_label(db, labels), reading.golden_pairs(db)
        workloads = [(work, reading.seconds_of(db, work.person)) for work in reading.workloads(db, now)]
        daily, waiting, backlog = days.per_day(db, now), listing.waiting(db), reading.backlog(db, now)
    reported = model.reported_precision(console.settings.model, labels)
    agreed = {label: agreement.agreement(given) for label, given in answers.items()}
    others = {label: agreement.pairs_with_others(given) for label, given in answers.items()}
    return {
        "live": model.live(strata),
        "flagged_waiting": flagged_waiting,
        "precision": model.precision_per_label(found, labels, reported),
        "groups": model.false_positive_rates(found, strata),
        "agreed": agreed,
        "alpha": [(label, found.alpha) for label, found in agreed.items()],
        "people": [(work, s, _kappa(known, work.person), _kappa(others, work.person)) for work, s in workloads],
        "per_label": [
            (work.name, label, _kappa({label: known[label]}, work.person), _kappa({label: pairs}, work.person))
            for work, _ in workloads
            for label, pairs in others.items()
            if work.person in pairs or work.person in known[label]
        ],
        "waiting": sorted(waiting.items()),
        "backlog": backlog,
        "days": {name: [(moment(day * DAY)[5:10], value) for day, value in of] for name, of in daily.items()},
    }


def _kappa(pairs: Mapping[str, Mapping[int, agreement.Pairs]], person: int) -> Estimate:
    return agreement.cohen_kappa([of_label[person] for of_label in pairs.values() if person in of_label])


def reopen(visit: Visit) -> Response:
    """Takes back all votes on an item, so that it is decided anew by others or the same."""
    with visit.console.database.write() as tx:
        votes.clear(tx, seen(visit, tx).id, visit.person, visit.now)
    return visit.go(f"/items/{visit.item}")


def make_golden(visit: Visit) -> Response:
    """Copies a decided item as a golden one with its outcome as the known answer; a copy that is there learns it."""
    with visit.console.database.write() as tx:
        row = seen(visit, tx)
        if row.outcome is None or row.erased_at is not None:
            raise ReviewError("Only a decided item whose content is still there can become a golden item.")
        if row.appeal_of is not None:  # by its id, neither who decided the post nor a golden item of it is found
            raise ReviewError(f"This is an appeal. Open item {row.appeal_of} and make a golden item of the post.")
        done = golden.make(tx, row, _first_queue(tx, row, visit.console.settings.all_queues), visit.now)
        log.record(tx, visit.now, visit.person.name, done, row.id)
    return visit.go(f"/items/{visit.item}")


def _first_queue(tx: Connection, row: Any, queues: Sequence[str]) -> str:
    """Returns the queue of these in which people meet posts such as this one, before somebody escalates them."""
    been = [row.queue, *(vote.queue for vote in votes.of(tx, row.id) if vote.kind == votes.ESCALATE)]
    return next((queue for queue in been if queue in queues and queue not in (APPEALS, ESCALATED)), MAIN)


def read_log(visit: Visit) -> Response:
    """Shows deliberate acts, the newest first."""
    before, item = _number(visit, "before"), _number(visit, "item")
    with visit.console.database.read() as db:
        rows = log.entries(db, item=item, before=before, limit=_ENTRIES + 1)
    more = len(rows) > _ENTRIES
    return visit.render("log.html.j2", rows=rows[:_ENTRIES], more=more, item=item, before=before)


def _number(visit: Visit, name: str) -> int | None:
    """Returns a number of the query, None where it is not there.

    Raises:
        FormError: It is none; without it, entries would be shown that nobody asked for.
    """
    text = visit.request.query_params.get(name)
    found = number_in(text or "")
    if text and found is None:
        raise FormError(f"'{text[:80]}' is no number of an {'item' if name == 'item' else 'entry'} of the log.")
    return found
