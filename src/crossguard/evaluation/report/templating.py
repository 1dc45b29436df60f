"""The template environment of all pages: in HTML, everything that comes from data is escaped."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from crossguard.data.masking import mask
from crossguard.errors import OutputError


def render(template: str, **context: Any) -> str:
    """Fills one of the templates; a name that the context lacks is an error."""
    return _environment().get_template(template).render(**context)


def write_text(text: str, path: Path) -> None:
    """Writes a page.

    Raises:
        OutputError: The file cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise OutputError(f"Cannot write '{path}': {error.strerror}.") from None


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("crossguard.evaluation.report", "templates"),
        autoescape=select_autoescape(enabled_extensions=("html.j2",), default=False),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["masked"] = mask
    return environment
