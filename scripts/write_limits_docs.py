#!/usr/bin/env python3
"""Writes docs/reference/limits.md from the code that holds the bounds; a test compares the two."""

from __future__ import annotations

import argparse
import re
from dataclasses import fields
from pathlib import Path
from typing import Final

from crossguard import cost, engine, wire
from crossguard.data import delimited_rows, image_headers, image_worker, lines
from crossguard.data.image_limits import ImageLimits
from crossguard.preprocessing import normalization
from crossguard.preprocessing.text import LINES_PER_WINDOW, TextSpec
from crossguard.serving import bodies, forms, json_bodies, protocol, rates
from crossguard.serving.settings import ServeSettings

PAGE: Final = Path(__file__).resolve().parents[1] / "docs" / "reference" / "limits.md"
MEBI: Final = 1024 * 1024

HEAD: Final = """# Limits

What one post, file or caller may use at most. Content beyond a bound fails with an [error code](error-codes.md) or an
HTTP status, or is cut with a note in the decision; nothing is cut silently. The [threat
model](../explanation/threat-model.md) says what the bounds protect against. This page is written by
`scripts/write_limits_docs.py` from the code.
"""

# Settings of the service that bound something, in the order of a request.
SETTINGS: Final = re.compile(r"(max_|fetch_|.*_timeout_s$|keep_alive_s|posts_per_minute|drain_s|stop_s)")

CONSTANTS: Final = {
    "Texts and tables": [
        (
            normalization,
            "MOST_CHARACTERS",
            "characters of a text that are cleaned; the rest is cut, with a note",
        ),
        (engine, "VERY_LONG_TEXT", "characters from which the service cleans a text in a process of low priority"),
        (lines, "MAX_LINE_BYTES", "bytes of a line of JSON Lines or CSV (`line_too_long`)"),
        (delimited_rows, "MAX_ROW_BYTES", "bytes of a CSV row of several lines (`line_malformed`, then line by line)"),
        (delimited_rows, "MAX_ROW_LINES", "lines of such a row, likewise"),
    ],
    "Images that are decoded in the main process": [
        (image_worker, "CHEAP_BYTES", "bytes of a file"),
        (image_worker, "CHEAP_JPEG_PIXELS", "pixels of a JPEG"),
        (image_worker, "CHEAP_JPEG_PASSES", "pixels times scans of a JPEG"),
        (image_worker, "CHEAP_PIXELS", "pixels over all frames of a PNG, GIF or WebP"),
        (image_worker, "CHEAP_MEMORY", "bytes of memory that decoding takes"),
        (image_worker, "MOST_PROCESSES", "processes that decode all other images; at most one per core"),
        (image_headers, "JPEG_SEGMENTS", "segments of a JPEG before its data"),
        (image_headers, "PNG_CHUNKS", "chunks of a PNG"),
        (image_headers, "GIF_BLOCKS", "blocks of a GIF"),
    ],
    "Connections of the service": [
        (protocol, "MAX_HEADER_BYTES", "bytes of the headers of a request, and of its trailers"),
        (wire, "LONGEST_TYPE", "characters of a content type"),
        (forms, "MOST_SEMICOLONS", "semicolons in the name and parameters of a part of a form"),
        (protocol, "MAX_PIPELINED", "pipelined requests of a connection"),
        (bodies, "OPEN_BODY_BYTES", "bytes of a body at `/batch`, which is read before any key is seen"),
        (bodies, "OPEN_BUDGET_BYTES", "bytes of all such bodies at once; more get 429"),
        (json_bodies, "VALUES_PER_POST", "values in a JSON body, for each post of `max_posts`"),
        (bodies, "DISCARDED_BYTES", "bytes of a refused body that are still read, so that the caller sees the answer"),
        (bodies, "DISCARDED_PER_SECOND", "bytes of refused bodies that are read in a second, over all connections"),
        (rates, "MAX_CALLERS", "callers whose rates are remembered"),
        (cost, "TEXT_BYTES", "bytes of text, in UTF-8, that count as one post: in rates, the queue and batches"),
    ],
}


def page() -> str:
    """Returns the whole page as Markdown."""
    parts = [
        HEAD,
        "## Images",
        _table(_image_rows()),
        "Change them with `crossguard.load(image_limits=ImageLimits(...))`.",
    ]
    for title, rows in CONSTANTS.items():
        parts += [f"## {title}", _table([(name, getattr(module, name), text) for module, name, text in rows])]
        if title == "Texts and tables":
            windows = TextSpec.model_fields["windows"].default
            parts.append(
                f"A text is read in at most {windows} windows (`windows` of a bundle's `text`), "
                f"and {LINES_PER_WINDOW * windows} lines."
            )
    parts += ["## Requests to the service", _table(_setting_rows())]
    parts.append("Each is a [setting](serve-settings.md): a flag, a variable, a key of the configuration.")
    return "\n\n".join(part.strip() for part in parts) + "\n"


def _image_rows() -> list[tuple[str, object, str]]:
    """Reads the meanings from the docstring of `ImageLimits`, so that they stand once."""
    documentation = re.sub(r"\n {12}", " ", ImageLimits.__doc__ or "")
    meanings = dict(re.findall(r"^ {8}(\w+): (.*)$", documentation, re.MULTILINE))
    return [(field.name, field.default, meanings[field.name]) for field in fields(ImageLimits)]


def _setting_rows() -> list[tuple[str, object, str]]:
    return [
        (name, field.default, str(field.description))
        for name, field in ServeSettings.model_fields.items()
        if SETTINGS.match(name) and not isinstance(field.default, bool | tuple)
    ]


def _table(rows: list[tuple[str, object, str]]) -> str:
    return "\n".join(
        ["| bound | default | what it bounds |", "|---|---|---|"]
        + [f"| `{name}` | {_number(value)} | {text} |" for name, value, text in rows]
    )


def _number(value: object) -> str:
    if isinstance(value, int) and value >= MEBI and value % MEBI == 0:
        return f"{value // MEBI} MiB"
    return f"{value:,}" if isinstance(value, int) else f"{value:g}" if isinstance(value, float) else str(value)


if __name__ == "__main__":
    argparse.ArgumentParser(description=__doc__).parse_args()
    PAGE.write_text(page(), encoding="utf-8")
