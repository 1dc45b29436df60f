"""Templates: everything that comes from data is escaped, and a name that a page lacks is an error."""

from __future__ import annotations

import time
from functools import cache
from typing import Any

from jinja2 import Environment

from crossguard.data.masking import excerpt, mask_lines, visible
from crossguard.markup import templates


def fill(template: str, **context: Any) -> str:
    """Fills a template."""
    return environment().get_template(template).render(**context)


@cache
def environment() -> Environment:
    """Returns the environment of all templates."""
    made = templates("crossguard.review.pages")
    made.filters.update(masked=masked, plain=plain, only_in=only_in, moment=moment, ago=ago)
    return made


def masked(text: str, width: int | None = None) -> str:
    """Masks a text line by line; with a `width`, shows only its start, of at most so many characters on one line."""
    return mask_lines(_start(text, width))


def plain(text: str, width: int | None = None) -> str:
    """Shows a text line by line, as `masked` does, with all of its words."""
    return "\n".join(map(visible, _start(text, width).splitlines()))


def _start(text: str, width: int | None) -> str:
    # A long text is read to its end only where it begins with blanks alone.
    return text if width is None else excerpt(text[: 4 * width], width) or excerpt(text, width)


def only_in(text: str, other: str) -> str:
    """Returns the words of a text that another lacks, in their order."""
    known = set(other.casefold().split())
    return " ".join(word for word in text.split() if word.casefold() not in known)


def moment(seconds: float | None) -> str:
    """Writes a time, and that it is one of UTC."""
    return "" if seconds is None else time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(seconds))


def ago(seconds: float) -> str:
    """Writes a length of time in its largest unit."""
    for size, unit in ((86_400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds / size:.0f} {unit}"
    return f"{max(seconds, 0):.0f} s"
