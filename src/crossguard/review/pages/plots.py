"""Plots as inline SVG without styles of their own: intervals on a scale from 0 to 1, and bars per day."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Final

from markupsafe import Markup

from crossguard.evaluation.estimates import Estimate

_WIDTH: Final = 420
_NAME: Final = 120
_RIGHT: Final = 14
_ROW: Final = 26
_HEIGHT: Final = 150
FEW: Final = 7


def intervals(title: str, rows: Sequence[tuple[str, Estimate, float | None]], low: float = 0.0) -> Markup:
    """Draws one line per row: the estimate, its interval, and a reference where there is one, from `low` to 1."""
    height = _ROW * len(rows) + 24
    body = [_scale(low, height)]
    for index, (name, estimate, reference) in enumerate(rows):
        y = _ROW * index + 14
        body.append(f'<text class="name" x="{_NAME - 8}" y="{y + 4}" text-anchor="end">{escape(name)}</text>')
        if estimate.value is None:
            body.append(f'<text x="{_NAME + 4}" y="{y + 4}">too few answers</text>')
            continue
        if estimate.low is not None and estimate.high is not None:
            ends = f'x1="{_x(estimate.low, low)}" x2="{_x(estimate.high, low)}"'
            body.append(f'<line class="whisker" {ends} y1="{y}" y2="{y}"/>')
        x = _x(estimate.value, low)
        told = f"{name}: {estimate.value:.2f}, {estimate.count} items"
        body.append(f'<circle class="dot" cx="{x}" cy="{y}" r="4.5"><title>{escape(told)}</title></circle>')
        if reference is not None:
            x = _x(reference, low)
            body.append(f'<line class="reference" x1="{x}" x2="{x}" y1="{y - 8}" y2="{y + 8}"/>')
    return _svg(title, height, body)


def bars(title: str, values: Sequence[tuple[str, float]]) -> Markup:
    """Draws one bar per value, such as items per day."""
    top = max((value for _, value in values), default=0) or 1
    step, body = _ground(f"{top:,.0f}", [name for name, _ in values], FEW)
    for index, (name, value) in enumerate(values):
        height, x = 108 * value / top, 40 + index * step
        body.append(
            f'<rect class="bar" x="{x + 1:.1f}" y="{120 - height:.1f}" width="{max(step - 3, 1):.1f}" '
            f'height="{height:.1f}">'
            f"<title>{escape(name)}: {value:,.0f}</title></rect>"
        )
    return _svg(title, _HEIGHT, body)


def series(title: str, values: Sequence[tuple[str, Estimate]]) -> Markup:
    """Draws an estimate per day with its interval, on a scale from 0 to the highest end of an interval."""
    ends = [end for _, found in values for end in (found.high, found.value) if end is not None]
    top = max(ends, default=0.0) or 1.0
    step, body = _ground(f"{top:.2g}", [name for name, _ in values])
    for index, (name, found) in enumerate(values):
        x = 40 + (index + 0.5) * step
        if found.value is None:
            continue
        low, y, high = (120 - 108 * (end or 0.0) / top for end in (found.low, found.value, found.high))
        told = f"{name}: {found.value:.3f}, from {found.low or 0:.3f} to {found.high or 0:.3f}, {found.count:,} posts"
        body.append(f'<line class="whisker" x1="{x:.1f}" x2="{x:.1f}" y1="{low:.1f}" y2="{high:.1f}"/>')
        body.append(f'<circle class="dot" cx="{x:.1f}" cy="{y:.1f}" r="4"><title>{escape(told)}</title></circle>')
    return _svg(title, _HEIGHT, body)


def _ground(top: str, names: Sequence[str], few: int = 2) -> tuple[float, list[str]]:
    """Returns the width of a name's part, the ends of a vertical scale, the line at its 0, and the names below it.

    Of more names than `few` only the first and the last are written.
    """
    step = (_WIDTH - 50) / max(len(names), 1)
    body = [f'<line class="axis" x1="40" x2="{_WIDTH - 10}" y1="120" y2="120"/>']
    body += [f'<text x="34" y="{y}" text-anchor="end">{escape(end)}</text>' for y, end in ((16, top), (124, "0"))]
    for index, name in enumerate(names):
        if index in {0, len(names) - 1} or len(names) <= few:
            x = 40 + (index + 0.5) * step
            body.append(f'<text x="{x:.1f}" y="138" text-anchor="middle">{escape(name)}</text>')
    return step, body


def _scale(low: float, height: int) -> str:
    ticks = [low + (1 - low) * part / 4 for part in range(5)]
    return "".join(
        f'<line class="axis" x1="{_x(tick, low)}" x2="{_x(tick, low)}" y1="2" y2="{height - 18}"/>'
        f'<text x="{_x(tick, low)}" y="{height - 4}" text-anchor="middle">{tick:g}</text>'
        for tick in ticks
    )


def _x(value: float, low: float) -> str:
    part = (max(value, low) - low) / (1 - low)
    return f"{_NAME + part * (_WIDTH - _NAME - _RIGHT):.1f}"


def _svg(title: str, height: int, body: Sequence[str]) -> Markup:
    return Markup(  # noqa: S704 - every text in it is escaped above
        f'<svg class="plot" role="img" aria-label="{escape(title)}" viewBox="0 0 {_WIDTH} {height}">'
        f"{''.join(body)}</svg>"
    )
