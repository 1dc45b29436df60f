"""What a person has answered, and how they want posts to be shown."""

from __future__ import annotations

from starlette.responses import Response

from crossguard.review.pages.login import local_path
from crossguard.review.pages.templating import render
from crossguard.review.pages.visit import Visit
from crossguard.review.store import people, workload
from crossguard.review.taking import MINUTE


def mine(visit: Visit) -> Response:
    """Lists recent answers."""
    with visit.console.database.read() as db:
        rows = workload.recent(db, visit.person.id)
        done = workload.seen_today(db, visit.person.id, visit.now)
    oldest = visit.now - visit.console.settings.undo_minutes * MINUTE
    return render(visit, "mine.html.j2", rows=rows, done=done, oldest=oldest)


def switches(visit: Visit) -> Response:
    """Stores the two switches: text and images."""
    values = {name: visit.form.get(name) == "on" for name in ("show_text", "show_images")}
    with visit.console.database.write() as tx:
        people.change(tx, visit.person.id, **values)
    return visit.go(local_path(visit.form.get("back", "/me")))
