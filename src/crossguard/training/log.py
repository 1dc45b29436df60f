"""What a run tells: a JSON Lines log, TensorBoard, and a progress bar for whoever watches."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any, Final, Self

from crossguard.saving import telling_of, whole_file

BOARD: Final = "tensorboard"


class RunLog:
    """Writes `log.jsonl` and TensorBoard's event files, and draws a bar on a terminal."""

    def __init__(self, folder: Path, total_steps: int, *, done: tuple[int, int] = (0, 0), active: bool = True) -> None:
        """Opens the log; entries after the `done` steps and epochs of the state come again, so they are removed."""
        self._done = done
        self._active = active
        self._folder = folder
        self._path = folder / "log.jsonl"
        self._total = total_steps
        self._start = time.perf_counter()

    def __enter__(self) -> Self:
        if self._active:
            from rich.console import Console
            from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
            from torch.utils.tensorboard import SummaryWriter

            self._folder.mkdir(parents=True, exist_ok=True)
            with telling_of(self._path):
                _forget_after(self._path, *self._done)
                self._file = self._path.open("a", encoding="utf-8")
            with telling_of(self._folder / BOARD):
                self._board = SummaryWriter(str(self._folder / BOARD), purge_step=self._done[0] + 1)
            columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
            terminal = sys.stderr.isatty()
            self._bar = Progress(*columns, console=Console(file=sys.stderr), disable=not terminal)
            self._task = self._bar.add_task("training", total=self._total)
            self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._active:
            self._bar.stop()
            # Both try again to write what they could not.
            with telling_of(self._path):
                self._file.close()
            with telling_of(self._folder / BOARD):
                self._board.close()

    def step(self, step: int, epoch: int, values: dict[str, float]) -> None:
        """Tells about one change of the weights."""
        if self._active:
            self._write("train", step, epoch, values)
            self._bar.update(self._task, completed=step, description=f"epoch {epoch + 1}, loss {values['loss']:.3f}")

    def metrics(
        self, step: int, epoch: int, values: dict[str, float], *, final: bool = False, best_of: int = 1
    ) -> None:
        """Tells about the metrics after an epoch, or of the weights that the run ends with, and their epoch.

        These lean upwards where they are the best of several measured epochs, `best_of`.
        """
        leaning = f", the best of {best_of} on these posts, so rather too high" if best_of > 1 else ""
        told = f"epoch {epoch + 1}{leaning}"
        kind, title = ("final", f"final weights ({told})") if final else ("eval", told)
        if self._active:
            self._write(kind, step, epoch, values)
            shown = {name: value for name, value in values.items() if "/" not in name}
            parts = ", ".join(f"{name} {value:.4f}" for name, value in shown.items())
            self.note(f"{title}: {parts}")

    def note(self, message: str) -> None:
        """Tells a person something."""
        if self._active:
            self._bar.console.print(message, highlight=False, markup=False, soft_wrap=True)

    def _write(self, kind: str, step: int, epoch: int, values: dict[str, float]) -> None:
        seconds = round(time.perf_counter() - self._start, 2)
        record: dict[str, Any] = {"kind": kind, "step": step, "epoch": epoch, "seconds": seconds, **values}
        with telling_of(self._path):
            self._file.write(json.dumps(record) + "\n")
            self._file.flush()
        with telling_of(self._folder / BOARD):
            for name, value in values.items():
                self._board.add_scalar(f"{kind}/{name}", value, step)


def _forget_after(path: Path, steps: int, epochs: int) -> None:
    """Drops the entries that a killed run logged and whose steps or epochs it did not save."""
    if not path.is_file():
        return
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    kept = [line for line in lines if line.endswith("\n") and _is_saved(json.loads(line), steps, epochs)]
    with whole_file(path) as unfinished:
        unfinished.write_text("".join(kept), encoding="utf-8")


def _is_saved(entry: dict[str, Any], steps: int, epochs: int) -> bool:
    if entry["kind"] == "train":
        return bool(entry["step"] <= steps)
    return entry["kind"] == "eval" and bool(entry["epoch"] < epochs)
