"""The command line: one file per command, each a thin parser over a plain function.

A command's module is imported when the command is called (or its own help is asked for), so `crossguard --help`
stays fast however many commands there are.
"""

from __future__ import annotations

import difflib
import errno
import importlib
import io
import os
import signal
import sys
from contextlib import suppress
from pathlib import Path
from typing import Final

import click

from crossguard.__about__ import __version__
from crossguard.cli.options import text_command
from crossguard.errors import CrossguardError, OutputError

# One line for `crossguard --help` per command, which is `command` in the module of its name.
COMMANDS = {
    "score": "Score posts: a text, an image, a file, a folder or stdin.",
    "report": "Turn a file of results into an HTML page to sort and filter.",
    "demo": "Score a dozen sample posts and write an HTML report.",
    "serve": "Serve a model over HTTP, also to clients of OpenAI, Perspective or SageMaker.",
    "review": "Open the console in which people review posts, and fit thresholds to their votes.",
    "perspective": "Move from Google's Perspective API, and keep your thresholds.",
    "models": "List models, show a model's card, verify its checksums.",
    "prepare": "Turn a public dataset, or a table of your own, into training data.",
    "recipes": "List the training recipes, or print one in full.",
    "train": "Train a model by a recipe.",
    "export": "Export a trained model as a bundle or for Hugging Face.",
    "push": "Upload an exported model to the Hugging Face Hub.",
    "evaluate": "Measure a model on annotated posts, with intervals and an HTML report.",
    "calibrate": "Fit calibration, thresholds and review bands; write a policy file.",
    "audit": "Find groups for which a model makes more mistakes; functional suites; disguised texts.",
    "compare": "Compare runs or models side by side, with paired tests.",
    "card": "Write a model card from what was measured.",
    "deploy": "Put a model onto AWS SageMaker: package, policies, endpoints, jobs.",
}

# What disks refuse, whatever a command was about to do.
DISK = {
    *(errno.EACCES, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EISDIR, errno.ELOOP),
    *(errno.ENAMETOOLONG, errno.ENOSPC, errno.ENOTDIR, errno.EPERM, errno.EROFS),
}
INTERRUPTED = 130
BROKEN_PIPE = 141
_kept: Final[list[object]] = []


class LazyGroup(click.Group):
    """A group that imports a command only when it is needed."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        """Returns the command names in the order of the table."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """Imports and returns one command; None for an unknown name."""
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = importlib.import_module(f"crossguard.cli.{cmd_name}").command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Finds the command, and suggests one for a name that there is not."""
        name = args[0]
        if name in COMMANDS or name.startswith("-"):
            return super().resolve_command(ctx, args)
        from crossguard.data.masking import excerpt

        close = difflib.get_close_matches(name, COMMANDS, n=1)
        score = f"To score a file: crossguard score FILE. To score a text: {text_command(name)}"
        hint = f"Did you mean 'crossguard {close[0]}'?" if close else f"All commands: crossguard --help. {score}"
        raise click.UsageError(f"No such command '{excerpt(name)}'. {hint}", ctx)

    def invoke(self, ctx: click.Context) -> object:
        """Runs the command; ends quietly when the reader of stdout went away, as in `crossguard score - | head`."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            # What still waits in the buffer of stdout would be tried again at exit.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise click.exceptions.Exit(BROKEN_PIPE) from None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """Writes the table of commands without importing any of them."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="crossguard")
def root() -> None:
    """Score social-media posts (text, image or both) for hate.

    Start with: crossguard demo
    """


def main(args: list[str] | None = None) -> None:
    """Runs the command line and ends the process with a documented exit code (see docs/reference/exit-codes.md)."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:  # closed by who started it: `crossguard ... >&-`
            setattr(sys, name, Path(os.devnull).open("w", encoding="utf-8", errors="replace"))  # noqa: SIM115 - until the end
        elif isinstance(stream, io.TextIOWrapper):
            # A pipe of Windows or an old locale lacks characters that posts and tables have.
            stream.reconfigure(errors="replace")
    end(run(args))


def until_exit(model: object) -> None:
    """Keeps a model until the process ends, which then ends at once: taking a model apart takes a tenth of a second.

    Only for a command that leaves nothing to be done at exit. In a process that goes on, the next model replaces it.
    """
    _kept[:] = [model]


def end_when_terminated() -> None:
    """Ends the process at SIGTERM, at once and as after a drain, until a server takes the signal over.

    The kernel gives the first process of a container only signals that it handles: without this, one that comes while
    the server starts would be lost.
    """
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))  # SystemExit would be lost in some imports


def end(code: int) -> None:
    """Ends the process."""
    if _kept:
        with suppress(OSError, ValueError):  # what cannot be written is left to the interpreter, which then says so
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)
    sys.exit(code)


def run(args: list[str] | None = None) -> int:
    """Runs the command line and returns the exit code; one readable line on stderr per failure."""
    try:
        outcome = root.main(args=args, standalone_mode=False)
    except CrossguardError as error:
        _tell(f"Error: {error}")
        return error.exit_code
    except click.ClickException as error:
        shown = io.StringIO()
        error.show(shown)
        _tell(shown.getvalue().rstrip())
        if isinstance(error, click.NoSuchOption) and (place := _place_of(error)):
            _tell(place)
        return error.exit_code
    except OSError as error:
        if error.errno not in DISK:
            raise
        name = f"Cannot read or write '{error.filename}': " if error.filename else ""
        _tell(f"Error: {name}{error.strerror}.")
        return OutputError.exit_code
    except (KeyboardInterrupt, click.Abort):
        click.echo("Interrupted.", err=True)
        return INTERRUPTED
    return outcome if isinstance(outcome, int) else 0


def _place_of(error: click.NoSuchOption) -> str:
    """Says where an option goes that stands before its command, or behind that of its group; else nothing."""
    ctx = error.ctx
    if ctx is None or ctx.parent is None:
        return "Options follow their command, such as: crossguard score --text Hello"
    if any(error.option_name in known.opts for known in ctx.parent.command.params):
        return f"Before '{ctx.info_name}' it is one: {ctx.parent.command_path} {error.option_name} ... {ctx.info_name}"
    return ""


def _tell(message: str) -> None:
    from crossguard.cli.telling import tell  # as late as the commands, so that `crossguard --help` stays fast

    tell(message)
