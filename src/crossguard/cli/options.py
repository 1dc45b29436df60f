"""Options that several commands share."""

from __future__ import annotations

import math
import os
import re
import shlex
import sys
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NoReturn, TypeVar

import click
from click.core import ParameterSource

from crossguard.errors import InputError

if TYPE_CHECKING:
    from crossguard.checked_settings import StrictModel
    from crossguard.data.columns import Columns

F = TypeVar("F", bound=Callable[..., Any])
LEFT_OUT: Final = "..."
_SECRET: Final = re.compile(r"--[a-z-]*(secret|webhook-url)")  # chats post for whoever knows the address
_PASSWORD: Final = re.compile(r"(://[^:@/\s]*):\S*@")  # of an address such as a database's


class Number(click.FloatRange):
    """A number within bounds, which `nan` is for `click`: every comparison with it is false."""

    name = "number"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Raises UsageError where it is none, or not within the bounds."""
        number: float = super().convert(value, param, ctx)
        return self.fail(f"'{value}' is no number.", param, ctx) if math.isnan(number) else number


class ExistingPath(click.Path):
    """The path of an input: one that is missing is no error of the command line, and ends as elsewhere."""

    def fail(self, message: str, param: click.Parameter | None = None, ctx: click.Context | None = None) -> NoReturn:
        """Raises InputError."""
        raise InputError(f"{param.get_error_hint(ctx) if param and ctx else 'input'}: {message}")


PATH: Final = click.Path(path_type=Path)
FILE: Final = click.Path(path_type=Path, dir_okay=False)
EXISTING: Final = ExistingPath(exists=True, path_type=Path)
POST_COLUMNS: Final = {
    "id": "Column of post ids.",
    "text": "Column of texts.",
    "image_path": "Column of paths or data: URLs.",
    "image_text": "Column of the words in images.",
    "image": "Column of encoded images (bytes).",
}


def added(options: Sequence[Callable[[F], F]]) -> Callable[[F], F]:
    """Returns the decorator that adds options in this order."""

    def add(function: F) -> F:
        for option in reversed(options):
            function = option(function)
        return function

    return add


def single_option(name: str, **how: Any) -> Callable[[F], F]:
    """Returns an option that is refused when it is given again: the last of several would count without a word."""

    def only_one(context: click.Context, parameter: click.Parameter, values: tuple[str, ...]) -> str | None:
        if len(values) > 1:
            told = f"Give {name} once. Several posts go into a table: crossguard score posts.csv"
            raise click.BadParameter(told, context, parameter)
        return values[0] if values else None

    return click.option(name, multiple=True, callback=only_one, **how)


def renamed(path: Path, suffix: str) -> Path:
    """Returns a path with another suffix; of a folder, which has none, that of a file in it."""
    return path.with_suffix(suffix) if path.name and not path.is_dir() else path / f"{path.resolve().name}{suffix}"


def policy_file(context: click.Context, parameter: click.Parameter, value: Path | None) -> Path | None:
    """Returns the path of a policy file that will be written; under another name, `--policy` would not read it."""
    from crossguard.decision.policy_file import is_policy_file

    if value is not None and not is_policy_file(str(value)):
        told = f"A policy file ends in .yaml or .yml; --policy takes '{value}' for a policy of the model."
        raise click.BadParameter(f"{told} Write: -o {renamed(value, '.yaml')}", context, parameter)
    return value


def out_option(**how: Any) -> Callable[[F], F]:
    """Returns the option that says where to write, as every command that writes spells it."""
    return click.option("-o", "--out", "--output", "out", **how)


overwrite_option = click.option("--overwrite", is_flag=True, help="Replace the file if it is there.")
model_option = click.option(
    "--model", default="compact", show_default=True, help="A shipped name, a folder, or a Hub id."
)
hateful_option = click.option(
    "--hateful-column", default="hateful", show_default=True, help="Column that says whether a post is hateful at all."
)
# How annotated posts are read: keywords of `evaluation.annotated.read_annotated`.
annotated_options = added(
    (
        click.option("--split", help="Only rows whose column 'split' has this value."),
        click.option(
            "--positive-from",
            type=Number(0, 1, min_open=True),
            default=0.5,
            show_default=True,
            help="Value from which a label counts as positive.",
        ),
        click.option(
            "--image-root", type=PATH, help="Folder that relative image paths start from; else that of the table."
        ),
        click.option("--images/--no-images", default=True, help="Whether to use the images of DATA."),
    )
)


def reading_options(posts: str, formats: Sequence[str], otherwise: str = "") -> Callable[[F], F]:
    """Returns the decorator that adds the format of a table, and the columns of `POST_COLUMNS` with `_column` behind.

    `posts` is what the command calls the table; `otherwise` says more about how its format is found out.
    """
    chosen = click.Choice(formats)
    return added(
        (
            click.option("--input-format", type=chosen, help=f"Format of {posts}; else by its name{otherwise}."),
            *(
                click.option(f"--{name.replace('_', '-')}-column", default=name, show_default=True, help=told)
                for name, told in POST_COLUMNS.items()
            ),
        )
    )


def columns_of(options: Mapping[str, Any]) -> Columns:
    """Returns the columns that the options of `reading_options` name."""
    from crossguard.data.columns import Columns

    return Columns(**{name: options[f"{name}_column"] for name in POST_COLUMNS})


def resampling_options(rounds: int, *, least: int = 0) -> Callable[[F], F]:
    """Returns the decorator that adds the number of resamples, by default `rounds`, and the seed."""
    none = "" if least else "; 0 for none"
    return added(
        (
            click.option(
                "--rounds",
                type=click.IntRange(min=least),
                default=rounds,
                show_default=True,
                help=f"Bootstrap resamples for intervals{none}.",
            ),
            click.option(
                "--seed",
                type=click.IntRange(min=0),
                default=0,
                show_default=True,
                help="Seed of everything random.",
            ),
        )
    )


def new_policy_options(file: str) -> Callable[[F], F]:
    """Returns the decorator that adds name, version and file of a policy that is written, by default to `file`."""
    return added(
        (
            click.option("--name", help="Name of the new policy; the file's name when not given."),
            click.option("--version", default="1", show_default=True, help="Version of the new policy."),
            out_option(type=PATH, default=Path(file), show_default=True, callback=policy_file, help="The policy file."),
            overwrite_option,
        )
    )


def settings_options(model: type[StrictModel]) -> Callable[[F], F]:
    """Returns the decorator that adds a file of settings, and a flag per setting, so that none can be forgotten."""
    options = [click.option("--config", type=PATH, help="YAML file of settings.")]
    for name, field in model.model_fields.items():
        default = ",".join(field.default) if isinstance(field.default, tuple) else field.default
        shown = f"  [default: {default}]" if default not in {None, ""} else ""
        # A switch may stand without its value.
        switch: dict[str, Any] = {"is_flag": False, "flag_value": "true"} if field.annotation is bool else {}
        flag = f"--{name.replace('_', '-')}"
        options.append(click.option(flag, name, metavar="VALUE", help=f"{field.description}{shown}", **switch))
    return added(options)


def policy_name(file: Path) -> str:
    """Returns the name that a policy has by its file."""
    return re.sub(r"[^A-Za-z0-9_.-]", "-", file.stem)


def refuse_idle(names: Sequence[str], why: str) -> None:
    """Raises UsageError where one of these options was typed, which do nothing here; `why` ends that sentence."""
    context = click.get_current_context()
    for option in context.command.params:
        if option.name in names and context.get_parameter_source(option.name) is ParameterSource.COMMANDLINE:
            raise click.UsageError(f"{option.opts[-1]} does nothing {why}. Leave it out.")


def is_there(path: str) -> bool:
    """Whether a file or folder has this name; what is no name at all, such as a long text, is none."""
    return os.path.exists(path)  # noqa: PTH110 - pathlib raises for those


def text_command(text: str) -> str:
    """Returns the command that scores a text, as a shell takes it; of a long one, its start."""
    from crossguard.data.masking import excerpt  # only where an error is told

    quoted = excerpt(text).replace("'", "'\\''")
    return f"crossguard score --text '{quoted}'"


def typed() -> str:
    """Returns the command as it was typed, for the record; that is shared, so passwords and secrets are left out."""
    words = []
    for before, word in pairwise(["", *sys.argv[1:]]):
        option, equals, _ = word.partition("=")
        if _SECRET.fullmatch(before):
            words.append(LEFT_OUT)
        elif equals and _SECRET.fullmatch(option):
            words.append(f"{option}={LEFT_OUT}")
        else:
            words.append(_PASSWORD.sub(rf"\1:{LEFT_OUT}@", word))
    return shlex.join(["crossguard", *words])


def in_place_of(folder: Path | None, name: str) -> str:
    """Returns how a sentence ends on a folder of results, where those of an earlier run are replaced."""
    return ", in place of those of an earlier run" if folder is not None and (folder / name).is_file() else ""
