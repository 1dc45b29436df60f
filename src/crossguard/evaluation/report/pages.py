"""Pages of audits and comparisons, and what fills the templates of all pages."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment

from crossguard.data.masking import mask
from crossguard.evaluation.audit.running import Audit
from crossguard.evaluation.comparison import Compared, describe, winners
from crossguard.evaluation.titles import title
from crossguard.markup import templates
from crossguard.saving import save_text


def write_audit_page(audit: Audit, path: Path) -> None:
    """Writes an audit as one HTML file that opens offline; sentences are masked."""
    save_text(path, render("audit.html.j2", audit=audit))


def comparison_page(rows: Sequence[Compared], keys: Sequence[str]) -> str:
    """Returns the comparison as one HTML document."""
    context = {"rows": rows, "keys": keys, "best": winners(rows, keys)}
    return render("compare.html.j2", **context, title=title, describe=describe)


def render(template: str, **context: Any) -> str:
    """Fills one of the templates; a name that the context lacks is an error."""
    return _environment().get_template(template).render(**context)


@cache
def _environment() -> Environment:
    environment = templates("crossguard.evaluation.report")
    environment.filters["masked"] = mask
    return environment
