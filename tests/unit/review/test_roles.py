"""The table of the how-to: who may do what on the pages."""

from __future__ import annotations

import pytest

from crossguard.review.pages.app import PAGES
from crossguard.review.roles import RIGHTS, Role

DECIDE = {"POST /items/{item}/vote", "POST /items/{item}/skip", "POST /undo"}
LOOK = {"GET /quality", "GET /quality/{name}", "GET /log"}
LEAD = {"POST /items/{item}/reopen", "POST /items/{item}/gold", "POST /quality/retry"}
MANAGE = {"GET /people", "POST /people/invite", "POST /people/keys", "POST /people/erase"}


@pytest.mark.parametrize(
    ("role", "may"),
    [
        (Role.REVIEWER, DECIDE),
        (Role.LEAD, DECIDE | LOOK | LEAD),
        (Role.ADMIN, DECIDE | LOOK | LEAD | MANAGE),
        (Role.AUDITOR, LOOK),
    ],
)
def test_each_role_may_what_the_how_to_says(role: Role, may: set[str]) -> None:
    rights = {f"{method} {path}": right for method, path, _, right in PAGES}
    assert {page for page in DECIDE | LOOK | LEAD | MANAGE if rights[page] in RIGHTS[role]} == may
