"""The page of an audit."""

from __future__ import annotations

from pathlib import Path

from crossguard.evaluation.audit.running import Audit
from crossguard.evaluation.report.templating import render, write_text


def write_audit_page(audit: Audit, path: Path) -> None:
    """Writes an audit as one HTML file that opens offline; sentences are masked.

    Raises:
        OutputError: The file cannot be written.
    """
    write_text(render("audit.html.j2", audit=audit), path)
