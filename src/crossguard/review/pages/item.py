"""One item: what it is, what the model says, and the person's answer."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection
from starlette.responses import HTMLResponse, Response

from crossguard.errors import CrossguardError
from crossguard.review.console import COMMENT_CHARACTERS
from crossguard.review.errors import ClaimLostError, FormError, NotAllowedError, NotFoundError
from crossguard.review.explanation import explain
from crossguard.review.pages.queues import kept_query, next_after, refuse_over_limit, undoable
from crossguard.review.pages.visit import Visit
from crossguard.review.roles import Right
from crossguard.review.store import claims, items, listing, votes
from crossguard.review.store.schema import MINUTE
from crossguard.review.submissions import decision_of

SHOWN_ALIKE = 20
AGAIN = "again"  # the submission whose answers the form begins with
SKIP_REASONS = ("language I do not read", "not enough context", "too upsetting now", "I know the people", "other")


def show(visit: Visit, status: int = 200, problem: str = "") -> Response:
    """Shows an item; the form is there while the person holds it."""
    again = visit.request.query_params.get(AGAIN)
    with visit.console.database.read() as db:
        row = seen(visit, db)
        answers = votes.of(db, row.id)
        cast = [vote for vote in answers if vote.kind == votes.VOTE]
        held = row.claimed_by == visit.person.id and (row.claim_expires_at or 0) > visit.now
        alike = listing.beside(db, row, visit.person.id, visit.now) if held else []
        context = {
            "images": items.images_of(db, row.id),
            "first_images": listing.first_images(db, [other.id for other in alike[:SHOWN_ALIKE]]),
            "reports": items.reports_of(db, row),
            "earlier": items.earlier_of_author(db, row, visit.person.queues),
            "last": undoable(visit, db),
            "appealed": votes.outcome_of(db, row.appeal_of) if row.appeal_of else None,
            "edited": (items.get(db, row.appeal_of) if row.appeal_of else row).version_of is not None,
            "form": visit.form or _taken_back(visit, db, again),
            "stayed": votes.count_standing(db, visit.person.id, again) if again else 0,
        }
    own = [vote for vote in cast if vote.person == visit.person.id]
    # A golden item stays in its queue when somebody escalates it, and would show that it is one.
    escalated = [vote for vote in answers if vote.kind == votes.ESCALATE and vote.comment and row.state != claims.GOLD]
    hidden = _is_hidden(visit, row, own)
    decision = None if hidden else decision_of(row.decision, row.external)
    return visit.render(
        "item.html.j2",
        status,
        row=row,
        decision=decision,
        bands=visit.console.bands_of(row.decision) if decision else {},
        suggestions=[vote for vote in answers if vote.kind == votes.SUGGEST],
        escalations=escalated,
        hidden=hidden,
        held=held,
        alike=alike,
        own=own[-1] if own else None,
        cast=cast if visit.person.may(Right.MEASURE) and row.state != "open" else [],
        clauses=visit.console.clauses,
        reasons=SKIP_REASONS,
        shown_alike=SHOWN_ALIKE,
        submission=secrets.token_hex(16),
        kept=kept_query(visit.request.query_params),
        problem=problem,
        **context,
    )


def _is_hidden(visit: Visit, row: Any, own: Sequence[Any]) -> bool:
    """Whether nothing about the model is shown: before a blind vote, but to leads where all is said."""
    return row.blind and not own and not (visit.person.may(Right.MEASURE) and row.state == "decided")


def _taken_back(visit: Visit, db: Connection, again: str | None) -> dict[str, str]:
    """Returns the fields of the answer that the person has just undone, mostly to correct one of them."""
    vote = votes.taken_back(db, visit.item, visit.person.id, again) if again else None
    if vote is None:
        return {}
    return {f"label.{name}": answer for name, answer in vote.labels.items()} | {
        "clause": vote.clause,
        "comment": vote.comment,
    }


def claim(visit: Visit) -> Response:
    """Claims this very item."""
    with visit.console.database.write(durable=False) as tx:
        row = seen(visit, tx)
        lease = visit.console.settings.lease_minutes * MINUTE
        if row.claimed_by != visit.person.id:
            refuse_over_limit(visit, tx)
        if not claims.claim(tx, row.id, visit.person.id, visit.now, lease):
            raise NotAllowedError("This item is with somebody else, is decided, or has been before you already.")
    return visit.go(f"/items/{visit.item}?{kept_query(visit.request.query_params)}")


def renew(visit: Visit) -> Response:
    """Keeps an item while its page is open."""
    with visit.console.database.write(durable=False) as tx:
        lease = visit.console.settings.lease_minutes * MINUTE
        kept = claims.renew(tx, visit.item, visit.person.id, visit.now, lease)
    return HTMLResponse("" if kept else "This item is no longer yours. Your answer may not be taken.")


def release(visit: Visit) -> Response:
    """Gives an item back undecided."""
    with visit.console.database.write(durable=False) as tx:
        claims.release(tx, visit.item, visit.person.id)
    return visit.go("/")


def vote(visit: Visit) -> Response:
    """Records a decision, and goes to the next item."""
    try:
        ballot = visit.console.ballot(visit.form)
        submission = _submission(visit)
        with visit.console.database.write() as tx:
            row = seen(visit, tx)
            if others := _chosen(visit, tx, row):
                items.lock_posts(tx, (row.id, *others))
            for item in (row.id, *others):
                votes.cast(tx, item, visit.person, ballot, submission=submission, now=visit.now)
            return next_after(visit, tx, row)
    except (FormError, ClaimLostError) as error:  # the page shows what was filled in
        return show(visit, error.status, str(error))


def _chosen(visit: Visit, tx: Connection, row: Any) -> list[int]:
    """Returns the near-duplicates that are to be decided along with an item; all are those that its page counted."""
    if not any(name.partition(".")[0] == "alike" for name in visit.form):
        return []
    others = [other.id for other in listing.beside(tx, row, visit.person.id, visit.now)]
    counted = set(visit.form.get("counted", "").split(",")) if visit.form.get("alike") == "all" else set()
    return [item for item in others if str(item) in counted or f"alike.{item}" in visit.form]


def skip(visit: Visit) -> Response:
    """Passes an item on."""
    if not visit.form.get("reason", "").strip():
        return show(visit, FormError.status, "Choose why you skip this item.")
    return _pass_on(visit, votes.SKIP)


def escalate(visit: Visit) -> Response:
    """Hands an item to the second queue, with the comment."""
    return _pass_on(visit, votes.ESCALATE)


def _pass_on(visit: Visit, kind: str) -> Response:
    reason = visit.form.get("reason", "").strip()[:200]
    comment = visit.form.get("comment", "").strip()[:COMMENT_CHARACTERS]
    said = {"reason": reason, "comment": comment, "submission": _submission(visit)}
    try:
        with visit.console.database.write() as tx:
            row = seen(visit, tx)
            votes.pass_on(tx, row.id, visit.person, kind, now=visit.now, **said)
            return next_after(visit, tx, row)
    except ClaimLostError as error:
        return show(visit, error.status, str(error))


def undo(visit: Visit) -> Response:
    """Takes a submission back and shows the first of its items again that the person may see.

    Somebody may have escalated the others.
    """
    settings = visit.console.settings
    with visit.console.database.write() as tx:
        submission = visit.form.get("submission", "")
        opened = votes.undo(tx, submission, visit.person, visit.now, settings.undo_minutes * MINUTE)
        shown = next((item for item in opened if visit.person.sees(items.get(tx, item).queue)), None)
        if shown is None:
            return visit.go("/")
        claims.claim(tx, shown, visit.person.id, visit.now, settings.lease_minutes * MINUTE)
    return visit.go(f"/items/{shown}?{kept_query(visit.request.query_params, **{AGAIN: submission})}")


def explanation(visit: Visit) -> Response:
    """Shows which words move the score; not before a blind vote."""
    with visit.console.database.read() as db:
        row = seen(visit, db)
        own = [vote for vote in votes.standing(db, row.id) if vote.person == visit.person.id]
    if _is_hidden(visit, row, own):
        raise NotAllowedError("This item is judged blind: nothing about the model is shown before your answer.")
    try:
        found, problem = explain(visit.console.moderator, row.text, row.image_text), ""
    except CrossguardError as error:
        found, problem = None, str(error)
    template = "explanation.html.j2" if visit.partial else "explanation_page.html.j2"
    return visit.render(template, row=row, found=found, problem=problem)


def seen(visit: Visit, db: Connection) -> Any:
    """Returns the item if the person may see it; golden items look like others, so they are not found by number."""
    row, person = items.get(db, visit.item), visit.person
    visit.check_queue(row.queue)
    known = row.state != claims.GOLD or row.claimed_by == person.id or person.may(Right.MEASURE)
    if not known and all(vote.person != person.id for vote in votes.of(db, row.id)):
        raise NotFoundError(f"There is no item {row.id} for you.")
    return row


def _submission(visit: Visit) -> str:
    """Returns the page's own number of this answer, so that sending it again changes nothing."""
    given = visit.form.get("submission", "")
    return given[:64] if given.isalnum() else secrets.token_hex(16)
