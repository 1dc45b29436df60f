"""`crossguard review`: the console where people decide, and what goes in and out of it."""

from __future__ import annotations

import os
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from crossguard.errors import MissingExtraError
from crossguard.review.settings import PREFIX, ReviewSettings, gather

if TYPE_CHECKING:
    from crossguard.review.console import Console

F = TypeVar("F", bound=Callable[..., Any])


def _settings_options(function: F) -> F:
    """Adds a flag per setting, so that none can be forgotten."""
    for name, field in reversed(ReviewSettings.model_fields.items()):
        default = ",".join(field.default) if isinstance(field.default, tuple) else field.default
        shown = f"  [default: {default}]" if default not in {None, ""} else ""
        flag = f"--{name.replace('_', '-')}"
        function = click.option(flag, name, metavar="VALUE", help=f"{field.description}{shown}")(function)
    return function


@click.group(
    invoke_without_command=True,
    epilog=f"Each setting can also be a line of the --config file, or a variable such as {PREFIX}PORT.",
)
@click.option("--config", type=click.Path(path_type=Path), help="YAML file of settings.")
@_settings_options
@click.pass_context
def command(ctx: click.Context, /, config: Path | None, **flags: str | None) -> None:
    """Open the console where people review posts.

    \b
    crossguard review                          with the demo's posts, in one SQLite file
    crossguard review import posts.jsonl       put your own posts in
    crossguard review learn -o policy.yaml     propose thresholds from what people decided
    """
    ctx.obj = gather(flags, os.environ, config)
    if ctx.invoked_subcommand is None:
        _check_extra()
        from crossguard.review.server import serve

        serve(ctx.obj, lambda line: click.echo(line, err=True))


def _check_extra() -> None:
    needed = ("alembic", "argon2", "krippendorff", "python_multipart", "sqlalchemy", "starlette", "uvicorn")
    if any(find_spec(name) is None for name in needed):
        raise MissingExtraError("crossguard review", "review")


def _console(settings: ReviewSettings) -> Console:
    _check_extra()
    from crossguard.review.console import Console
    from crossguard.review.store.database import Database

    return Console(settings, Database.open(settings.database))
