"""The state of a run on disk, written whole or not at all, so that a killed run goes on exactly."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path
from pickle import UnpicklingError
from typing import Any, Final

import torch
from torch import Tensor, nn

from crossguard.errors import ConfigError, first_line
from crossguard.models.loading import whole_weights

STATE: Final = "state.pt"
BEST: Final = "best.pt"


def read_saved(path: Path) -> dict[str, Any]:
    """Reads what a run saved.

    Raises:
        ConfigError: The file is missing or broken.
    """
    try:
        saved: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, EOFError, UnpicklingError) as error:
        wrong = f"broken or was cut off ({first_line(error)})" if path.is_file() else "missing"
        raise ConfigError(f"{path} is {wrong}. Copy it again, or begin a new run in another folder.") from None
    return saved


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
            problems.append("other posts or labels")
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

    def save(self, folder: Path, identity: RunIdentity) -> None:
        """Writes the state beside its place, then moves it there; raises as `whole_weights`."""
        parts = {name: None if part is None else part.state_dict() for name, part in self._parts().items()}
        rest = {"identity": asdict(identity), "average": self.average, "progress": asdict(self.progress)}
        with whole_weights(folder / STATE) as draft:
            torch.save(parts | rest, draft)

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

    def _parts(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in ("model", "optimizer", "scheduler", "scaler")}
