"""Every error that Crossguard raises.

```
CrossguardError
├── InputError            what the caller gave cannot be used           exit code 3
│   ├── PostError         one post cannot be scored; its neighbours can
│   │   └── ImageError    its image cannot be decoded, or may not be
│   └── TableError        a file of posts cannot be read (names the line)
│       └── ChangedError  it is not the file that was planned
├── BundleError           a model folder is missing, newer, or corrupted exit code 4
├── ConfigError           a recipe, policy or setting is wrong           exit code 5
├── MissingExtraError     an optional part of Crossguard is not installed  exit code 6
├── OutputError           the result cannot be written                   exit code 7
├── DeployError           a cloud refused a request, or its work failed  exit code 9
└── JobError              a part of a job over many files is not finished  exit code 10
    ├── StorageError      a storage does not answer
    └── UnitError         a unit ends its worker, and no post of it is to blame
```

A message has up to four parts: the rule, the value seen, what would work, the next command.
"""

from __future__ import annotations

import difflib
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any


class CrossguardError(Exception):
    """Base of all errors below; `exit_code` is what the command line ends with."""

    exit_code = 1

    def __init_subclass__(cls, *, exit_code: int | None = None) -> None:
        cls.exit_code = exit_code or cls.exit_code

    def __reduce__(self) -> tuple[Any, ...]:
        """Restores message and attributes, whatever `__init__` takes: pools send errors between processes."""
        return _restored, (type(self), self.args), self.__dict__


def _restored(kind: type[CrossguardError], args: tuple[Any, ...]) -> CrossguardError:
    return kind.__new__(kind, *args)


class InputError(CrossguardError, exit_code=3):
    """What the caller gave cannot be used."""


class PostError(InputError):
    """One post cannot be scored.

    Attributes:
        code: A stable snake_case word for programs, such as `image_not_found`.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class ImageError(PostError):
    """The image of a post cannot be decoded, or breaks a limit."""


class TableError(InputError):
    """A file of posts cannot be read as a whole."""


class ChangedError(TableError):
    """A file is not the one that was planned."""


class LockedError(TableError):
    """This user may not read a file or folder of this machine."""

    def __init__(self, path: str) -> None:
        super().__init__(f"'{path}' cannot be read: permission denied for this user.")


class BundleError(CrossguardError, exit_code=4):
    """A model folder is missing, of a newer schema, or corrupted."""


class ConfigError(CrossguardError, exit_code=5):
    """A recipe, policy or setting is wrong; all problems are told at once."""

    @classmethod
    def gather(cls, where: str, problems: Sequence[str]) -> ConfigError:
        """Joins the problems of one file or object into one error."""
        if len(problems) == 1:
            return cls(f"{where}: {problems[0]}")
        lines = "\n".join(f"  - {problem}" for problem in problems)
        return cls(f"{where}: {len(problems)} problems\n{lines}")


class MissingExtraError(CrossguardError, exit_code=6):
    """An optional part of Crossguard is not installed."""

    def __init__(self, what: str, extra: str) -> None:
        super().__init__(f"{what} needs an optional part. Install it with: {pip()} install 'crossguard[{extra}]'")
        self.extra = extra


def pip() -> str:
    """Returns how to call the pip of this environment: plain `pip` may be that of another one."""
    import shutil  # only where an error is told

    own = Path(sys.executable).with_name("pip")
    if not own.exists() or shutil.which("pip") == str(own):
        return "pip"
    with suppress(ValueError):
        own = own.relative_to(Path.cwd())
    return str(own)


@contextmanager
def needs_extra(what: str, extra: str) -> Iterator[None]:
    """Says of an import in its block that fails which extra to install.

    Raises:
        MissingExtraError: Something cannot be imported.
    """
    try:
        yield
    except ImportError as error:
        raise MissingExtraError(what, extra) from error


class OutputError(CrossguardError, exit_code=7):
    """The result cannot be written."""


class DeployError(CrossguardError, exit_code=9):
    """A cloud refused a request, or what it runs for us failed."""


class JobError(CrossguardError, exit_code=10):
    """A part of a job over many files could not be finished; the others can."""


class StorageError(JobError):
    """A storage did not answer, or not with what it should; the same request may succeed later."""


class UnitError(JobError):
    """A unit crashes its worker repeatedly, and no single post of it does."""


def first_line(error: Exception) -> str:
    """Returns the first line of what a library says."""
    return str(error).partition("\n")[0]


def as_sentence(error: Exception) -> str:
    """Returns the first line of what a library says with one full stop, as the end of a sentence."""
    return f"{first_line(error).rstrip('.')}."


def shortened(text: str, most: int = 80) -> str:
    """Returns a text cut to what fits into a message."""
    return text if len(text) <= most else f"{text[:most]}..."


def number_of(count: int, noun: str) -> str:
    """Returns `1 post` or `1,024 posts`."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def suggest(value: object, known: Iterable[str]) -> str:
    """Returns `" Did you mean 'x'? Known: a, b."` for an unknown name: one of which it is a part, else the closest."""
    value, names = str(value), sorted(known)
    words = value.lower().replace("-", "_")
    # `epochs` is a part of `num_train_epochs`, and `learning_rate`, by its initials, of `lr_head`.
    parts = {words, "".join(word[:1] for word in words.split("_"))} - {words[:1]}
    inside = [name for name in names if any(f"_{part}_" in f"_{name.lower().replace('-', '_')}_" for part in parts)]
    same = [name for name in names if name.lower() == value.lower()]
    close = same or inside or difflib.get_close_matches(value, names, n=1)
    hint = " Did you mean '{}'?".format("' or '".join(close[:3])) if close else ""
    return f"{hint} Known: {', '.join(names)}." if names else ""
