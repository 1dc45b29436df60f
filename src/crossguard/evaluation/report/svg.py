"""Charts as inline SVG, both axes from 0 to 1. Colours and fonts come from the page's style sheet."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from crossguard.evaluation.curves import Curve

_WIDTH, _HEIGHT = 340, 300
_LEFT, _RIGHT, _TOP, _BOTTOM = 44, 12, 28, 44
_TICKS = (0.0, 0.25, 0.5, 0.75, 1.0)
_SMALLEST, _LARGEST = 2.0, 9.0


@dataclass(frozen=True, slots=True)
class Axes:
    """What a chart shows.

    Attributes:
        title: Above the chart, and read out by a screen reader.
        x: Name of the horizontal axis.
        y: Name of the vertical axis.
        diagonal: Whether to draw the line x = y, where guessing or perfect calibration lies.
        marks: Horizontal positions of dashed lines with their names, such as the live threshold.
        points: (x, y, name) of the live operating point.
    """

    title: str
    x: str
    y: str
    diagonal: bool = False
    marks: tuple[tuple[float, str], ...] = ()
    points: tuple[tuple[float, float, str], ...] = ()


def chart(axes: Axes, curves: Sequence[Curve | None]) -> str:
    """Draws curves; a curve that is None is left out, and a chart without any says so."""
    drawn = [(index, curve) for index, curve in enumerate(curves) if curve is not None]
    body = [_grid(axes), *(_line(index, curve) for index, curve in drawn)]
    body += [_mark(at, name) for at, name in axes.marks]
    body += [_point(x, y, name) for x, y, name in axes.points]
    if not drawn:
        body.append(f'<text class="nothing" x="{_x(0.5)}" y="{_y(0.5)}">undefined: too few posts of one kind</text>')
    if len(drawn) > 1:
        body += [_legend(row, index, curve.name) for row, (index, curve) in enumerate(drawn)]
    return (
        f'<svg class="chart" role="img" aria-label="{escape(axes.title)}" viewBox="0 0 {_WIDTH} {_HEIGHT}">'
        f"<title>{escape(axes.title)}</title>{''.join(body)}</svg>"
    )


def _x(value: float) -> str:
    return f"{_LEFT + value * (_WIDTH - _LEFT - _RIGHT):.1f}"


def _y(value: float) -> str:
    return f"{_HEIGHT - _BOTTOM - value * (_HEIGHT - _TOP - _BOTTOM):.1f}"


def _grid(axes: Axes) -> str:
    lines = []
    for tick in _TICKS:
        lines.append(f'<line class="grid" x1="{_x(tick)}" x2="{_x(tick)}" y1="{_y(0)}" y2="{_y(1)}"/>')
        lines.append(f'<line class="grid" x1="{_x(0)}" x2="{_x(1)}" y1="{_y(tick)}" y2="{_y(tick)}"/>')
        lines.append(f'<text class="tick" x="{_x(tick)}" y="{_HEIGHT - _BOTTOM + 15}">{tick:g}</text>')
        lines.append(f'<text class="tick left" x="{_LEFT - 6}" y="{_y(tick)}" dy="4">{tick:g}</text>')
    if axes.diagonal:
        lines.append(f'<line class="diagonal" x1="{_x(0)}" y1="{_y(0)}" x2="{_x(1)}" y2="{_y(1)}"/>')
    middle = (_HEIGHT - _BOTTOM + _TOP) / 2
    return (
        "".join(lines) + f'<text class="title" x="{_LEFT}" y="16">{escape(axes.title)}</text>'
        f'<text class="axis" x="{_x(0.5)}" y="{_HEIGHT - 8}">{escape(axes.x)}</text>'
        f'<text class="axis" transform="translate(11 {middle}) rotate(-90)">{escape(axes.y)}</text>'
    )


def _line(index: int, curve: Curve) -> str:
    points = " ".join(f"{_x(x)},{_y(y)}" for x, y in zip(curve.x, curve.y, strict=True))
    dots = "".join(
        f'<circle class="dot c{index}" cx="{_x(x)}" cy="{_y(y)}" r="{_SMALLEST + size**0.5 * _LARGEST:.1f}">'
        f"<title>score {x:.2f}, observed {y:.2f}, {size:.1%} of posts</title></circle>"
        for x, y, size in zip(curve.x, curve.y, curve.sizes, strict=False)
    )
    return f'<polyline class="line c{index}" points="{points}"/>{dots}'


def _mark(at: float, name: str) -> str:
    return (
        f'<line class="mark" x1="{_x(at)}" x2="{_x(at)}" y1="{_y(0)}" y2="{_y(1)}"><title>{escape(name)}</title></line>'
        f'<text class="tick" x="{_x(at)}" y="{_TOP - 3}">{escape(name)}</text>'
    )


def _point(x: float, y: float, name: str) -> str:
    return f'<circle class="point" cx="{_x(x)}" cy="{_y(y)}" r="5"><title>{escape(name)}</title></circle>'


def _legend(row: int, index: int, name: str) -> str:
    y = _HEIGHT - _BOTTOM - 12 - 15 * row
    return (
        f'<line class="line c{index}" x1="{_LEFT + 8}" x2="{_LEFT + 24}" y1="{y - 4}" y2="{y - 4}"/>'
        f'<text class="legend" x="{_LEFT + 29}" y="{y}">{escape(name)}</text>'
    )
