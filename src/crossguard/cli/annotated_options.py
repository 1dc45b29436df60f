"""What the commands share that read annotated posts: `evaluate`, `audit`, `calibrate`."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])

_OPTIONS = (
    click.option("--split", help="Only rows whose column 'split' has this value."),
    click.option("--positive-from", default=0.5, show_default=True, help="Value from which a label counts as given."),
    click.option("--image-root", type=click.Path(path_type=Path), help="Folder of relative image paths."),
    click.option("--images/--no-images", default=True, help="Whether to use the images of DATA."),
)


hateful_option = click.option(
    "--hateful-column", default="hateful", show_default=True, help="Column: is the post hateful at all."
)


def annotated_options(function: F) -> F:
    """Adds how DATA is read: keywords of `evaluation.annotated.read_annotated`."""
    for option in reversed(_OPTIONS):
        function = option(function)
    return function


def typed() -> str:
    """Returns the command as it was typed, for the record."""
    return shlex.join(["crossguard", *sys.argv[1:]])
