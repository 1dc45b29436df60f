"""Appeals: somebody asks for a decision to be looked at again. It never goes to who decided first."""

from __future__ import annotations

from typing import Any

from pydantic import Field
from sqlalchemy import select

from crossguard.checked_settings import StrictModel
from crossguard.review.console import Console
from crossguard.review.errors import NotFoundError, ReviewError
from crossguard.review.settings import APPEALS
from crossguard.review.store import items
from crossguard.review.store.schema import items as table


class Appeal(StrictModel):
    """The body of `POST /api/appeals`."""

    id: str = Field(min_length=1, max_length=500, description="The caller's id of the appeal.")
    source: str = Field(default="api", description="Source of the post.")
    post: str = Field(description="The source's id of the post that was decided.")
    reason: str = Field(default="", max_length=4000, description="What the person says.")


def take_appeal(console: Console, appeal: Appeal, now: float) -> dict[str, Any]:
    """Stores an appeal in its queue; sending it again changes nothing. The outcome goes out as `appeal.decided`.

    Raises:
        NotFoundError: The post was never sent here.
        ReviewError: It is not decided yet, or its content is deleted.
    """
    with console.database.write() as tx:
        known = (table.c.kind == "appeal", table.c.source == appeal.source, table.c.external == appeal.id)
        before = tx.execute(select(table.c.id).where(*known)).scalar_one_or_none()
        if before is not None:
            return {"item": before, "known_already": True}
        row = items.find(tx, appeal.source, appeal.post)
        if row.state != "decided":
            raise ReviewError(f"The post '{appeal.post}' is not decided yet, so there is nothing to appeal against.")
        if row.erased_at is not None:
            raise NotFoundError(f"The content of the post '{appeal.post}' is deleted, so nobody can look at it again.")
        made = items.copy(
            tx,
            row,
            kind="appeal",
            external=appeal.id,
            queue=APPEALS,
            state="open",
            received_at=now,
            urgency=-now / 3600,
            stratum="routed",
            inclusion=1.0,
            reports=0,
            appeal_of=row.id,
            appeal_reason=appeal.reason.replace("\0", ""),
        )
    return {"item": made, "known_already": False}
