"""`crossguard serve`: the HTTP service."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import click

from crossguard.cli import end_when_terminated
from crossguard.cli.options import settings_options
from crossguard.cli.telling import tell
from crossguard.errors import needs_extra
from crossguard.serving.settings import PREFIX, ServeSettings, gather, unread_variables


def _print_new_key(ctx: click.Context, parameter: click.Parameter, name: str | None) -> None:
    if name is None:
        return
    if not name.strip() or not name.isprintable():
        raise click.BadParameter("The name of a caller has printable characters: --new-key forum", ctx, parameter)
    with needs_extra("crossguard serve", "serve"):
        from crossguard.serving.keys import digest_of, new_key
    key = new_key()
    tell(f"The key, shown only now: {key}")
    tell("Put this into the file that --keys-file names, which has one line 'keys:' for all. To append")
    tell("an entry, leave that line out: crossguard serve --new-key NAME | tail -n +2 >> keys.yaml")
    tell("(PowerShell has 'select -Skip 1' for 'tail -n +2').")
    quoted = json.dumps(name, ensure_ascii=False)  # else YAML takes 123 for a number, and yes for true
    click.echo(f"keys:\n  {quoted}:\n    sha256: {digest_of(key)}")
    ctx.exit()


def _variables_of_review() -> list[str]:
    """Returns the variables of `crossguard review`, which has the beginning of their names in common."""
    from crossguard.review import settings

    return [settings.PREFIX + name.upper() for name in settings.ReviewSettings.model_fields]


@click.command(epilog=f"Each setting can also be a line of the --config file, or a variable such as {PREFIX}PORT.")
@click.option(
    "--new-key",
    metavar="NAME",
    expose_value=False,
    is_eager=True,
    callback=_print_new_key,
    help="Make an API key for a caller, print it and its entry for the keys file, and exit.",
)
@settings_options(ServeSettings)
def command(config: Path | None, **flags: str | None) -> None:
    """Serve a model over HTTP.

    Start with: crossguard serve, then open http://127.0.0.1:8080/docs
    """
    end_when_terminated()
    if hasattr(signal, "SIGHUP"):  # a reload of what is only about to be read; the server takes it over
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
    settings = gather(flags, os.environ, config)
    with needs_extra("crossguard serve", "serve"):
        from crossguard.serving import logs, server
    logs.configure(settings.log_level, settings.log_format)
    for sentence in unread_variables(os.environ, _variables_of_review()):
        logs.event("unread_variable", 30, message=sentence)
    server.serve(settings)
