"""HTML: a decision's scores as the same table in notebooks and on pages, and the templates of reports and console."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from jinja2 import Environment

COLOURS: Final = {"allow": "#2e7d4f", "review": "#b26a00", "block": "#b3261e", "failed": "#6b6b6b"}


def templates(package: str) -> Environment:
    """Returns the templates of a package: data is escaped, but in Markdown; a name that a page lacks is an error."""
    from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

    return Environment(
        loader=PackageLoader(package, "templates"),
        autoescape=select_autoescape(disabled_extensions=("md.j2",), default=True),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def decision_html(id_: str, head: str, labels: Iterable[tuple[str, float, float, str, bool]], said: str = "") -> str:
    """Returns a heading with what else is to be said, such as an error, and a bar per label.

    Args:
        id_: Of the post.
        head: Its action, or that it failed.
        labels: Of each label name, score and threshold, both in [0, 1], action, and whether it is flagged.
        said: What else is to be said.
    """
    title = f'<b>{escape(id_)}</b> <b style="color:{COLOURS.get(head, "inherit")}">{escape(head)}</b>'
    rows = "".join(_row(*label) for label in labels)
    return f"<div>{title} {escape(said)}<table>{rows}</table></div>"


def results_html(summary: str, rows: Sequence[tuple[str, str, str, str]], left: int) -> str:
    """Returns a table of decisions: id, text, action, flags; `left` says how many more there are."""
    body = "".join(
        f"<tr><td>{escape(id_)}</td><td>{escape(text)}</td>"
        f'<td><b style="color:{COLOURS.get(action, "inherit")}">{escape(action)}</b></td><td>{escape(why)}</td></tr>'
        for id_, text, action, why in rows
    )
    more = f"<p>and {left:,} more</p>" if left > 0 else ""
    head = "".join(f"<th>{name}</th>" for name in ("id", "text", "action", "flags, or highest score"))
    return f"<div><p>{escape(summary)}</p><table><tr>{head}</tr>{body}</table>{more}</div>"


def _row(name: str, score: float, threshold: float, action: str, flagged: bool) -> str:
    bar = (
        f'<div style="position:relative;width:10em;height:.6em;background:#8884;color:{COLOURS[action]}">'
        f'<i style="position:absolute;inset:0 auto 0 0;width:{score:.0%};background:currentColor"></i>'
        f'<b style="position:absolute;top:-.15em;bottom:-.15em;left:{threshold:.0%};border-left:2px solid"></b>'
        "</div>"
    )
    weight = "bold" if flagged else "normal"
    return (
        f'<tr style="font-weight:{weight}"><td>{escape(name)}</td><td>{bar}</td>'
        f"<td>{score:.2f}</td><td>from {threshold:.2f}</td><td>{escape(action)}</td></tr>"
    )
