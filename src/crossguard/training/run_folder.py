"""The folder of a run: nothing else is in it when it begins, and one run at a time writes into it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from crossguard.bundle import TOKENIZER
from crossguard.data.outputs import lock_file
from crossguard.errors import ConfigError, OutputError
from crossguard.training.state import BEST, STATE

LOCK: Final = ".lock"
# What a run leaves that was cut off before its first state, and other programs everywhere.
LEFTOVERS: Final = (BEST, "log.jsonl", "tensorboard", TOKENIZER, "*.draft", ".*")
SHOWN: Final = 3


def check_folder(folder: Path, *, resume: bool) -> None:
    """Checks that there is a run to resume, or that a new one replaces nothing.

    Raises:
        ConfigError: There is none; or the folder of a new one holds a run, or anything else.
    """
    has_run = (folder / STATE).is_file()
    if resume and not has_run:
        raise ConfigError(f"{folder} holds no run to resume. Start one without --resume.")
    if resume:
        return
    if has_run:
        raise ConfigError(f"{folder} holds a run already. Go on with it by --resume, or give another folder.")
    paths = folder.iterdir() if folder.is_dir() else ()
    names = sorted(path.name for path in paths if not any(map(path.match, LEFTOVERS)))
    if names:
        shown = ", ".join(names[:SHOWN]) + ", ..." * (len(names) > SHOWN)
        raise ConfigError(f"{folder} holds other files, which a run may replace: {shown}. Give a new folder for it.")


@contextmanager
def claimed(folder: Path) -> Iterator[None]:
    """Makes the folder and keeps other runs out of it; a process that is killed lets go.

    Raises:
        OutputError: It cannot be written, or another run writes into it.
    """
    if os.environ.get("RANK", "0") != "0":  # the first process writes for all
        yield
        return
    try:
        folder.mkdir(parents=True, exist_ok=True)
        file = (folder / LOCK).open("ab")
    except OSError as error:
        raise OutputError(f"Cannot write into '{folder}': {error.strerror}.") from None
    with file:
        if not lock_file(file):
            raise OutputError(f"Another run writes into '{folder}'. Wait for its end, or give another folder.")
        try:
            yield
        except OutputError as error:
            rest = " What was saved is kept; continue with --resume." if (folder / STATE).is_file() else ""
            raise OutputError(f"{error}{rest}") from None
