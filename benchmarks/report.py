"""What a run found: a table to read, JSON to compare, a plot to show."""

from __future__ import annotations

import json
from collections.abc import Mapping
from html import escape
from pathlib import Path
from typing import Any, Final

Sections = Mapping[str, Mapping[str, Mapping[str, Any]]]

TITLES: Final = {"text": "text only", "image": "image only", "both": "text and JPEG file"}
BAR: Final = 22
LABELS_WIDTH: Final = 270
BARS_WIDTH: Final = 420
FIGURES_WIDTH: Final = 150
COLOURS: Final = {"PyTorch": "#9aa0a6"}
OUR_COLOUR: Final = "#1a73e8"


def table(sections: Sections) -> str:
    """Returns the speeds as Markdown."""
    lines = []
    for kind, contenders in sections.items():
        lines += ["", f"**{TITLES[kind]}**", ""]
        lines += ["| | posts/s (lowest to highest) | times the baseline | of the fp32 ceiling | logits differ by |"]
        lines += ["|---|---|---|---|---|"]
        lines += [_row(name, line) for name, line in contenders.items()]
    return "\n".join(lines[1:])


def write(folder: Path, name: str, result: Mapping[str, Any]) -> list[Path]:
    """Writes `<name>.json` and `<name>.svg`."""
    folder.mkdir(parents=True, exist_ok=True)
    data, plot = folder / f"{name}.json", folder / f"{name}.svg"
    data.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    plot.write_text(svg(name, result["speed"]), encoding="utf-8")
    return [data, plot]


def svg(title: str, sections: Sections) -> str:
    """Returns a bar chart of posts per second, a whisker from the lowest to the highest round."""
    rows: list[str] = []
    top = 40
    for kind, contenders in sections.items():
        rows.append(_text(10, top + 14, TITLES[kind], weight="bold"))
        top += BAR
        longest = max(line["highest"] for line in contenders.values())
        for name, line in contenders.items():
            rows.extend(_bar(top, name, line, BARS_WIDTH / longest))
            top += BAR
        top += BAR // 2
    width = LABELS_WIDTH + BARS_WIDTH + FIGURES_WIDTH
    head = f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{top}" font-family="sans-serif">'
    background = f'<rect width="{width}" height="{top}" fill="white"/>'
    return "\n".join([head, background, _text(10, 24, f"{title}: posts per second", weight="bold"), *rows, "</svg>\n"])


def _row(name: str, line: Mapping[str, Any]) -> str:
    difference, ceiling = line["logit_difference"], f"{line['ceiling']:.0%}"
    compared = (ceiling, f"{difference:.1e}") if difference is not None else ("", "another model")
    return (
        f"| {name} | {line['posts_per_second']:.0f} ({line['lowest']:.0f} to {line['highest']:.0f}) "
        f"| {line['ratio']:.2f} ({line['ratio_lowest']:.2f} to {line['ratio_highest']:.2f}) "
        f"| {compared[0]} | {compared[1]} |"
    )


def _bar(top: int, name: str, line: Mapping[str, float], scale: float) -> list[str]:
    colour = COLOURS.get(name.split(maxsplit=1)[0], OUR_COLOUR)
    length, low, high = (LABELS_WIDTH + scale * line[key] for key in ("posts_per_second", "lowest", "highest"))
    middle = top + BAR // 2 - 2
    return [
        _text(20, top + 14, name),
        f'<rect x="{LABELS_WIDTH}" y="{top}" width="{length - LABELS_WIDTH:.1f}" height="{BAR - 4}" fill="{colour}"/>',
        f'<line x1="{low:.1f}" x2="{high:.1f}" y1="{middle}" y2="{middle}" stroke="black"/>',
        _text(round(high) + 8, top + 14, f"{line['posts_per_second']:.0f}  ({line['ratio']:.1f}x)"),
    ]


def _text(x: int, y: int, words: str, weight: str = "normal") -> str:
    return f'<text x="{x}" y="{y}" font-size="13" font-weight="{weight}">{escape(words)}</text>'
