"""`crossguard review`: the console where people decide, and what goes in and out of it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from crossguard.cli import end_when_terminated
from crossguard.cli.options import (
    EXISTING,
    PATH,
    ExistingPath,
    columns_of,
    out_option,
    overwrite_option,
    policy_file,
    policy_name,
    reading_options,
    refuse_idle,
    settings_options,
    typed,
)
from crossguard.cli.progress import Bar
from crossguard.cli.telling import tell
from crossguard.data.masking import visible
from crossguard.errors import ConfigError, InputError, MissingExtraError, number_of
from crossguard.listening import EVERYWHERE, web_address
from crossguard.review.roles import Role
from crossguard.review.settings import PREFIX, ReviewSettings, gather, unread_variables
from crossguard.saving import refuse_existing

# Thresholds below this have more digits.
SMALL = 0.001
# Rows that were left out and are told with their reason.
SHOWN_ROWS = 3

if TYPE_CHECKING:
    from crossguard.review.console import Console
    from crossguard.review.learn import Proposal


class Commands(click.Group):
    """What the database refuses is told in its own words: those of the library would show posts."""

    def invoke(self, ctx: click.Context) -> object:
        """Runs a command."""
        try:
            return super().invoke(ctx)
        except Exception as error:
            if "sqlalchemy" not in type(error).__module__ or not hasattr(error, "orig"):
                raise
            raise ConfigError(f"The database does not take this: {str(error.orig).strip()}") from None


def _variables_of_service() -> list[str]:
    """Returns the variables of `crossguard serve`; the names of those by which it finds a console begin like ours.

    Where QUEUE holds something that is no address, QUEUES was meant.
    """
    from crossguard.serving import settings

    names = {settings.PREFIX + name.upper() for name in settings.ServeSettings.model_fields}
    queue = f"{PREFIX}QUEUE"
    address = os.environ.get(queue, "")
    return sorted(names if "://" in address or not address else names - {queue})


@click.group(
    cls=Commands,
    invoke_without_command=True,
    epilog=f"Each setting can also be a line of the --config file, or a variable such as {PREFIX}PORT.",
)
@settings_options(ReviewSettings)
@click.pass_context
def command(ctx: click.Context, /, config: Path | None, **flags: str | None) -> None:
    """Open the console where people review posts.

    \b
    crossguard review                         the demo's posts, in one SQLite file
    crossguard review import posts.jsonl      put your own posts in
    crossguard review learn -o policy.yaml    propose thresholds from decisions
    """
    if ctx.invoked_subcommand is None:
        end_when_terminated()
    ctx.obj = gather(flags, os.environ, config)
    for sentence in unread_variables(os.environ, _variables_of_service()):
        tell(f"note: {visible(sentence)}")
    if ctx.invoked_subcommand is None:
        _check_extra()
        from crossguard.review.server import serve

        serve(ctx.obj, tell)


def _check_extra() -> None:
    needed = ("alembic", "argon2", "authlib", "sqlalchemy", "starlette", "uvicorn")
    if any(find_spec(name) is None for name in needed):
        raise MissingExtraError("crossguard review", "review")


def _console(settings: ReviewSettings, *, create: bool = False) -> Console:
    _check_extra()
    from crossguard.review.console import Console
    from crossguard.review.store.database import Database

    database = Database.open(settings.database, create=create)
    click.get_current_context().call_on_close(database.close)
    return Console(settings, database)


@command.command("import")
@click.argument("posts", type=ExistingPath(path_type=Path, exists=True, dir_okay=False))
@click.option("--results", type=EXISTING, help="What `crossguard score` wrote for POSTS.")
@click.option("--source", default="file", show_default=True, help="What to call where the posts come from.")
@click.option("--suggestions", is_flag=True, help="POSTS is what `crossguard serve --suggestions` wrote.")
@reading_options("POSTS", ["jsonl", "csv", "txt", "parquet", "xlsx"])
@click.option("--image-root", type=PATH, help="Folder that relative image paths start from; else that of the table.")
@click.pass_obj
def import_posts(
    settings: ReviewSettings,
    /,
    posts: Path,
    *,
    results: Path | None,
    source: str,
    suggestions: bool,
    input_format: str | None,
    image_root: Path | None,
    **columns: Any,
) -> None:
    """Put the posts of a table into the console.

    Flagged posts wait in the queue main, and with them a sample of the allowed ones. Importing the same table twice
    adds nothing. Besides the columns that scoring reads, there may be author, language, posted_at, queue, report and
    expected. Suggestions are shown beside the item and raise its priority. A row that the console does not take is left
    out and told at the end, with exit code 3; the others are taken.
    """
    if suggestions:
        refuse_idle(("results", "input_format", "image_root", *columns), "beside --suggestions")
    console = _console(settings, create=True)
    from crossguard.review.files import take_file, take_suggestions

    notes: list[str] = []
    if suggestions:
        batches = take_suggestions(console, posts, source=source)
    else:
        how = {"format": input_format, "columns": columns_of(columns), "image_root": image_root}
        batches = take_file(console, posts, source=source, results=results, note=notes.append, **how)
    taken = known = passed = refused = 0
    edited: list[str] = []
    left_out: list[str] = []
    try:
        with Bar() as bar:
            for batch in batches:
                taken, known, passed = taken + batch.taken, known + batch.known, passed + batch.passed
                edited += batch.edited
                refused += len(batch.left_out)
                left_out = [*left_out, *batch.left_out][:SHOWN_ROWS]
                bar.move(None, None, f"{taken + known + passed + refused:,} posts")
    finally:  # what was taken before an error stays
        rest = f"{known:,} were already known; {passed:,} allowed posts were not sampled"
        tell(f"Queued {taken:,} items; {rest}.")
    if edited:
        notes.append(
            f"{len(edited):,} of these had another text before, such as '{edited[0]}': decisions on that stay with it. "
            "If these are other posts and no edits, import each such file under a --source of its own."
        )
    for note in notes:
        tell(f"note: {visible(note)}")
    if refused:
        raise InputError(_left_out(posts, "line" if suggestions else "row", refused, left_out))


def _left_out(posts: Path, noun: str, count: int, shown: Sequence[str]) -> str:
    verb = "was" if count == 1 else "were"
    told = f"{number_of(count, noun)} of '{posts}' {verb} left out; the others were taken. Correct and import it again:"
    more = [f"and {count - len(shown):,} more"] if count > len(shown) else []
    return "\n  - ".join([told, *(" ".join(reason.split()) for reason in shown), *more])


@command.command("export", short_help="Write what people decided as a table.")
@click.argument("out", type=PATH)
@overwrite_option
@click.pass_obj
def export_decisions(settings: ReviewSettings, out: Path, *, overwrite: bool) -> None:
    """Write what people decided as a table for `crossguard calibrate`, `evaluate` and `train`.

    OUT ends in .jsonl, .csv or .parquet; images go into a folder beside it. The demo's posts are left out as soon as
    there are others.
    """
    refuse_existing(out, overwrite=overwrite)
    console = _console(settings)
    from crossguard.review.export import export

    done = export(console.database, settings.labels, out)
    erased = f", {done.erased:,} without content were left out" if done.erased else ""
    tell(f"Wrote {done.rows:,} items and {done.images:,} images to {out}{erased}.")
    if done.unnamed:
        shown = ", ".join(sorted(done.unnamed))
        tell(f"note: votes on {shown} were left out: start with the console's --labels to have them.")
    if done.more_images:
        tell(f"note: a row has one image; {done.more_images:,} further ones were left out.")


@command.command("learn", short_help="Propose thresholds from what people decided.")
@click.option("--criterion", default="f1", show_default=True, help="f1, precision>=0.9, recall>=0.95, cost=1:5.")
@out_option(type=PATH, callback=policy_file, help="Write the proposal as a policy file.")
@overwrite_option
@click.pass_obj
def learn_thresholds(settings: ReviewSettings, criterion: str, out: Path | None, *, overwrite: bool) -> None:
    """Propose thresholds for the live feed from what people decided, and show what they would have changed.

    Nothing is applied: without -o nothing is written, and a policy file counts once you serve with it.
    """
    if out is not None:
        refuse_existing(out, overwrite=overwrite)
    console = _console(settings)
    from crossguard.evaluation.calibration.criteria import Criterion
    from crossguard.evaluation.calibration.policy import usage, write_policy
    from crossguard.review.learn import learn
    from crossguard.review.learnt_policy import policy_file

    with console.database.read() as db:
        proposals, notes = learn(db, Criterion.parse(criterion), console.policy)
    _show_proposals(proposals, notes)
    if out is not None:
        moved = list[str]()
        name = policy_name(out)
        file = policy_file(settings.model, settings.policy, proposals, name, typed(), note=moved.append)
        write_policy(file, out, settings.model)
        for sentence in moved:
            tell(f"note: {visible(sentence)}")
        tell(f"Wrote {out}. Try it with: {usage(out, settings.model)}")


@command.command("invite", short_help="Print a link to join, or to choose a new password.")
@click.option("--role", type=click.Choice([role.value for role in Role]), default="admin", show_default=True)
@click.option("--name", help="Existing user who needs a new password.")
@click.pass_obj
def invite_person(settings: ReviewSettings, role: str, name: str | None) -> None:
    """Print a link that works once, by which somebody joins or chooses a new password."""
    if name is not None:
        refuse_idle(("role",), "beside --name: an existing user keeps their role")
    console = _console(settings, create=name is None)
    from crossguard.review.store import log, people

    with console.database.write() as tx:
        chosen = people.by_name(tx, name)[0].role if name else Role(role)
        token = people.invite(tx, chosen, console.now(), name)
        log.record(tx, console.now(), log.COMMAND_LINE, "invite", role=chosen.value, name=name)
    click.echo(f"{settings.public_url or web_address(settings.host, settings.port)}/join/{token}")
    if settings.host in EVERYWHERE and not settings.public_url:
        told = "this link works on this machine; for others, give the address that they type as --public-url."
        tell(f"note: {told}")


@command.command("erase", short_help="Erase the texts and images of an author's posts.")
@click.argument("author")
@click.option("--source", help="The source whose author it is, where several have one of that key.")
@click.pass_obj
def erase_author(settings: ReviewSettings, author: str, source: str | None) -> None:
    """Erase the text and images of all posts of AUTHOR, the source's key of a person. Decisions stay.

    Reports that AUTHOR made lose this key and the reason.
    """
    console = _console(settings)
    from crossguard.review.store import log, retention

    with console.database.erase() as tx:
        count = retention.erase_author(tx, author, console.now(), source)
        log.record(tx, console.now(), log.COMMAND_LINE, "erase author", items=count)
    tell(f"The content of {number_of(count, 'item')} was erased, and key and reason in AUTHOR's reports.")


def _limit(threshold: float) -> str:
    return f"{threshold:.3f}" if threshold == 0 or threshold >= SMALL else f"{threshold:.0e}"


def _show_proposals(proposals: Sequence[Proposal], notes: Sequence[str]) -> None:
    from crossguard.cli.table import console, plain

    numbers = ("items", "threshold", "proposed", "95 %", "precision", "recall", "newly flagged", "no longer")
    table = plain(("label", "input", *numbers), left=2)
    for found in proposals:
        table.add_row(
            found.label,
            ", ".join(found.kinds),
            f"{found.items:,}",
            _limit(found.current),
            _limit(found.proposed),
            f"{_limit(found.interval[0])}-{_limit(found.interval[1])}",
            " > ".join(f"{one.short} {one.interval}".rstrip() for one in found.precision),
            " > ".join(f"{one.short} {one.interval}".rstrip() for one in found.recall),
            f"{found.newly[0]} ({found.newly[1]} right)",
            f"{found.no_longer[0]} ({found.no_longer[1]} wrong)",
        )
    terminal = console()
    terminal.print(table)
    terminal.print("Precision and recall: now > with the proposal (cross-validated), weighted to the live feed.")
    for note in notes:
        terminal.print(f"Note: {note}", style="yellow")
