"""The lead's page: volume, backlog, the model against people, people against each other. Every estimate is drawn."""

from __future__ import annotations

import threading
from typing import Any

from starlette.responses import Response

from crossguard.review.console import Console
from crossguard.review.pages import plots
from crossguard.review.pages.templating import moment, render
from crossguard.review.pages.visit import Visit
from crossguard.review.quality import agreement, model, reading, recall
from crossguard.review.store import items

FRESH_S, STALE_S = 60.0, 600.0


def show(visit: Visit) -> Response:
    """Shows how the work goes; metrics that are older than a minute are shown once more, and renewed meanwhile."""
    console = visit.console
    age = visit.now - console.measured[0] if console.measured else STALE_S
    if age >= STALE_S:
        with console.measuring:
            console.measured = (visit.now, measure(console, visit.now))
    elif age > FRESH_S and console.measuring.acquire(blocking=False):
        threading.Thread(target=_renew, args=(console,), daemon=True).start()
    assert console.measured is not None
    at, found = console.measured
    return render(visit, "quality.html.j2", measured_at=moment(at), **found)


def _renew(console: Console) -> None:
    try:
        now = console.now()
        console.measured = (now, measure(console, now))
    finally:
        console.measuring.release()


def measure(console: Console, now: float) -> dict[str, Any]:
    """Returns everything that the page shows."""
    labels = console.settings.labels
    with console.database.read() as db:
        found = reading.decided(db)
        strata = reading.strata(db)
        answers = reading.answers_by_label(db, labels)
        golden = reading.golden_pairs(db)
        workloads = reading.workloads(db, now)
        days = reading.per_day(db, now)
        waiting = items.waiting(db)
    live = recall.live(strata)
    precision = model.precision_per_label(found, labels, model.card_precision(console.settings.model, labels))
    groups = model.false_positive_rates(found)
    agreed = {label: agreement.agreement(given) for label, given in answers.items()}
    pairs: dict[int, list[tuple[bool, bool]]] = {}
    for given in answers.values():
        for person, entries in agreement.pairs_with_others(given).items():
            pairs.setdefault(person, []).extend(entries)
    return {
        "live": live,
        "precision": precision,
        "groups": groups,
        "agreed": agreed,
        "people": [
            (
                work,
                agreement.cohen_kappa(golden.get(work.person, [])),
                agreement.cohen_kappa(pairs.get(work.person, [])),
            )
            for work in workloads
        ],
        "waiting": sorted(waiting.items()),
        "drawn": {
            "in": plots.bars("Items in per day", [(_day(day), came) for day, came, _, _ in days]),
            "out": plots.bars("Decisions per day", [(_day(day), went) for day, _, went, _ in days]),
            "drift": plots.bars("Flagged posts per 10,000, per day", [(_day(day), rate) for day, _, _, rate in days]),
            "live": plots.intervals(
                "Estimates for the live feed",
                [
                    ("recall", live.recall, None),
                    ("precision", live.precision, None),
                    ("prevalence", live.prevalence, None),
                ],
            ),
            "precision": plots.intervals("Precision per label", [(p.label, p.live, p.card) for p in precision]),
            "groups": plots.intervals(
                "False-positive rate per group", [(name, rate, None) for name, rate in groups[:12]]
            ),
            "alpha": plots.intervals(
                "Krippendorff's alpha per label", [(label, a.alpha, None) for label, a in agreed.items()], low=-1.0
            ),
        },
    }


def _day(day: int) -> str:
    return moment(day * 86_400.0)[5:10]
