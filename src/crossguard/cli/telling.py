"""What commands say beside their results. Words of models, tables and folders stand in it, and steer no terminal."""

from __future__ import annotations

import sys

import click

from crossguard.data.masking import visible_lines


def tell(message: str) -> None:
    """Prints a message on stderr."""
    click.echo(visible_lines(message), err=True)


def show(text: str) -> None:
    """Prints a text on stdout: harmless on a terminal, and as it is for a file or another program."""
    click.echo(visible_lines(text) if sys.stdout.isatty() else text)
