"""What a run tells: a JSON Lines log, TensorBoard, and a progress bar for whoever watches."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self


class RunLog:
    """Writes `log.jsonl` and TensorBoard's event files, and draws a bar on a terminal."""

    def __init__(self, folder: Path, total_steps: int, *, active: bool = True) -> None:
        """Opens the log.

        Args:
            folder: Of the run.
            total_steps: For the bar.
            active: Whether this process is the one that tells.
        """
        self._active = active
        self._folder = folder
        self._total = total_steps
        self._start = time.perf_counter()

    def __enter__(self) -> Self:
        if self._active:
            from rich.console import Console
            from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
            from torch.utils.tensorboard import SummaryWriter

            self._folder.mkdir(parents=True, exist_ok=True)
            self._file = (self._folder / "log.jsonl").open("a", encoding="utf-8")
            self._board = SummaryWriter(str(self._folder / "tensorboard"))
            columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
            terminal = sys.stderr.isatty()
            self._bar = Progress(*columns, console=Console(file=sys.stderr), disable=not terminal)
            self._task = self._bar.add_task("training", total=self._total)
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._active:
            self._bar.stop()
            self._board.close()
            self._file.close()

    def step(self, step: int, epoch: int, values: dict[str, float]) -> None:
        """Tells about one change of the weights."""
        if self._active:
            self._write("train", step, epoch, values)
            self._bar.update(self._task, completed=step, description=f"epoch {epoch + 1}, loss {values['loss']:.3f}")

    def epoch(self, step: int, epoch: int, values: dict[str, float]) -> None:
        """Tells about the measures after an epoch."""
        if self._active:
            self._write("eval", step, epoch, values)
            shown = {name: value for name, value in values.items() if "/" not in name}
            parts = ", ".join(f"{name} {value:.4f}" for name, value in shown.items())
            self._bar.console.print(f"epoch {epoch + 1}: {parts}", highlight=False)

    def note(self, message: str) -> None:
        """Tells a person something."""
        if self._active:
            self._bar.console.print(message, highlight=False)

    def _write(self, kind: str, step: int, epoch: int, values: dict[str, float]) -> None:
        seconds = round(time.perf_counter() - self._start, 2)
        record: dict[str, Any] = {"kind": kind, "step": step, "epoch": epoch, "seconds": seconds, **values}
        self._file.write(json.dumps(record) + "\n")
        self._file.flush()
        for name, value in values.items():
            self._board.add_scalar(f"{kind}/{name}", value, step)
