#!/usr/bin/env python3
"""Writes docs/reference/command-line.md from the commands themselves; a test compares the two."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any, Final

import click

from crossguard.cli import COMMANDS, root

PAGE = Path(__file__).resolve().parents[1] / "docs" / "reference" / "command-line.md"
WIDTH: Final[dict[str, Any]] = {"terminal_width": 100, "max_content_width": 100}

HEAD = """# Command line

Written by `scripts/write_command_line_docs.py` from the commands themselves. Results go to stdout, messages to stderr.
How commands end: [exit codes](exit-codes.md).
"""


def page() -> str:
    """Returns the whole page as Markdown."""
    context = click.Context(root, info_name="crossguard", **WIDTH, **root.context_settings)
    sections = [HEAD, f"```text\n{root.get_help(context)}\n```\n"]
    for name in COMMANDS:
        command = root.get_command(context, name)
        if command is None:
            raise LookupError(name)
        sections.extend(_sections(command, context, name, level=2))
    return "\n".join(sections)


def _sections(command: click.Command, parent: click.Context, name: str, level: int) -> list[str]:
    context = click.Context(command, info_name=name, parent=parent, **WIDTH)
    path = f"{parent.command_path} {name}"
    sections = [f"{'#' * level} {path}\n\n```text\n{command.get_help(context)}\n```\n"]
    if isinstance(command, click.Group):
        for child in command.list_commands(context):
            found = command.get_command(context, child)
            if found is not None:
                sections.extend(_sections(found, context, child, level + 1))
    return sections


if __name__ == "__main__":
    argparse.ArgumentParser(description=__doc__).parse_args()
    PAGE.write_text(page(), encoding="utf-8")
