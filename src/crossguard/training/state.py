"""The folder of a run, and its state there, written whole or not at all, so that a killed run goes on exactly."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from pickle import UnpicklingError
from typing import Any, Final

import torch
from torch import Tensor, nn

from crossguard.bundle import TOKENIZER
from crossguard.cache import cache_folder
from crossguard.data.outputs import lock_file
from crossguard.errors import ConfigError, OutputError, first_line
from crossguard.models.loading import whole_weights
from crossguard.training.devices import Precision

STATE: Final = "state.pt"
BEST: Final = "best.pt"
LOCK: Final = ".lock"
# What a run leaves that was cut off before its first state, and other programs everywhere.
LEFTOVERS: Final = (BEST, "log.jsonl", "tensorboard", TOKENIZER, ".*")
SHOWN: Final = 3
FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT})


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
            with _telling_of_full_disk():
                yield
        except OutputError as error:
            rest = " What was saved is kept; continue with --resume." if (folder / STATE).is_file() else ""
            raise OutputError(f"{error}{rest}") from None


@contextmanager
def _telling_of_full_disk() -> Iterator[None]:
    """Names what did not fit; of its files, the cache alone may be written without a name in the error."""
    try:
        yield
    except OSError as error:
        if error.errno not in FULL:
            raise
        cache = cache_folder()
        place = Path(error.filename or cache)
        hint = " CROSSGUARD_CACHE=FOLDER keeps such files elsewhere." if place.is_relative_to(cache) else ""
        raise OutputError(f"Cannot write '{place}': {error.strerror}.{hint}") from None


def read_saved(path: Path, *, mapped: bool = False) -> dict[str, Any]:
    """Reads what a run saved; `mapped` reads tensors only when they are looked at.

    Raises:
        ConfigError: The file is missing or broken.
    """
    try:
        saved: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True, mmap=mapped)
    except (OSError, RuntimeError, EOFError, UnpicklingError) as error:
        wrong = f"broken or was cut off ({first_line(error)})" if path.is_file() else "missing"
        raise ConfigError(f"{path} is {wrong}. Copy it again, or begin a new run in another folder.") from None
    return saved


def saved_precision(folder: Path) -> Precision:
    """Returns in which numbers the run in a folder computes.

    Raises:
        ConfigError: As `read_saved`, or another version saved the run.
    """
    saved = read_saved(folder / STATE, mapped=True)
    if "precision" not in saved:
        raise ConfigError(f"{folder} is a run of another version of Crossguard. Begin a new run in another folder.")
    precision: Precision = saved["precision"]
    return precision


@dataclass
class Progress:
    """How far a run is."""

    epoch: int = 0  # the running one, from 0
    step: int = 0
    total_steps: int = 0
    best: float = float("nan")  # the best measure so far; NaN before the first
    best_epoch: int = -1  # the epoch that it belongs to
    stale_epochs: int = 0
    finished: bool = False


@dataclass(frozen=True)
class RunIdentity:
    """What must be the same for a run to go on exactly."""

    recipe: dict[str, Any]  # every setting
    data: str  # fingerprint of the posts that are trained on and measured
    processes: int  # each takes its part of every step

    def check(self, folder: Path, stored: RunIdentity) -> None:
        """Compares with the run that is stored in a folder.

        Raises:
            ConfigError: They differ; says in what.
        """
        changed = sorted(key for key in self.recipe if stored.recipe.get(key) != self.recipe[key])
        problems = [f"other settings of {', '.join(changed)}"] * bool(changed)
        if stored.data != self.data:
            problems.append("other posts, labels or images (also: another --fold, or a table of another name)")
        if stored.processes != self.processes:
            problems.append(f"{stored.processes} processes (now {self.processes})")
        if problems:
            raise ConfigError(
                f"The run in {folder} had {' and '.join(problems)}, so it cannot go on exactly. Resume it as it was "
                "started, or begin a new run in another folder; --start takes over the weights of a finished one."
            )


@dataclass
class RunState:
    """Everything that changes in training. Data order, augmentation and dropout follow from the seed and the step."""

    model: nn.Module
    optimizer: torch.optim.Optimizer
    scheduler: torch.optim.lr_scheduler.LRScheduler
    scaler: Any = None
    average: dict[str, Tensor] | None = None
    progress: Progress = field(default_factory=Progress)
    # Which of `text` and `image` neither this run nor those that it started from saw.
    untrained: list[str] = field(default_factory=list)
    # Fingerprints of what those were trained on, a `name` and a `sketch` each.
    trained_before: list[dict[str, Any]] = field(default_factory=list)
    precision: Precision = "no"  # `auto` may choose otherwise on another machine, or where this one is busy

    def save(self, folder: Path, identity: RunIdentity) -> None:
        """Writes the state beside its place, then moves it there; raises as `whole_weights`."""
        parts = {name: None if part is None else part.state_dict() for name, part in self._parts().items()}
        rest = {
            "identity": asdict(identity),
            "average": self.average,
            "progress": asdict(self.progress),
            "untrained": self.untrained,
            "trained_before": self.trained_before,
            "precision": self.precision,
        }
        with whole_weights(folder / STATE) as unfinished:
            torch.save(parts | rest, unfinished)

    def load(self, folder: Path, identity: RunIdentity) -> None:
        """Takes over a saved state.

        Raises:
            ConfigError: It is broken, or belongs to another recipe, other posts, or another number of processes.
        """
        state = read_saved(folder / STATE)
        identity.check(folder, RunIdentity(**state["identity"]))
        for name, part in self._parts().items():
            if part is not None and state[name] is not None:
                part.load_state_dict(state[name])
        # The saved average is on the CPU; the run's own is where the model is.
        for name, mean in (self.average or {}).items():
            mean.copy_(state["average"][name])
        self.progress = Progress(**state["progress"])
        self.untrained, self.trained_before = state["untrained"], state["trained_before"]

    def _parts(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in ("model", "optimizer", "scheduler", "scaler")}
