"""Who may do what."""

from __future__ import annotations

from enum import StrEnum


class Role(StrEnum):
    """What a person is to the console."""

    REVIEWER = "reviewer"
    LEAD = "lead"
    ADMIN = "admin"
    AUDITOR = "auditor"


class Right(StrEnum):
    """What can be allowed."""

    DECIDE = "decide"
    MEASURE = "measure"  # quality pages and exports
    LEAD = "lead"  # golden items, reopening
    AUDIT = "audit"  # the log
    ADMINISTER = "administer"  # people, keys, erasure


RIGHTS: dict[Role, frozenset[Right]] = {
    Role.REVIEWER: frozenset({Right.DECIDE}),
    Role.LEAD: frozenset({Right.DECIDE, Right.MEASURE, Right.LEAD, Right.AUDIT}),
    Role.ADMIN: frozenset(Right),
    Role.AUDITOR: frozenset({Right.MEASURE, Right.AUDIT}),
}
