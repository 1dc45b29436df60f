"""What runs inside a SageMaker training container: `python -m crossguard.deploy.sagemaker.train`.

A recipe and the tables of the channel `train` become a bundle in the model folder. The run lives in the checkpoint
folder, so a job that was interrupted goes on exactly where it was.

Hyperparameters: `recipe` (a shipped name, or a YAML file of the channel `recipe`), `save_every` (steps between
checkpoints), `model_name` and `model_version` of the bundle, and any setting of the recipe, such as `lr_head`. For jobs
without a network, a channel `encoder` may hold the pretrained encoders.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from crossguard.deploy.sagemaker.jobs import CHECKPOINTS, TEXTS
from crossguard.errors import ConfigError, CrossguardError

if TYPE_CHECKING:
    from crossguard.training.recipe import Recipe

BASE: Final = Path("/opt/ml")
# A spot machine is taken away two minutes after the warning: lose little, and do not write all the time either.
SAVE_EVERY: Final = 200
_OURS: Final = ("recipe", "save_every", *TEXTS)
# What a person wants to see of a run that is not part of the model.
_REPORTS: Final = ("recipe.yaml", "log.jsonl", "val_report.json", "val_metrics.json", "predictions.npz")
_REASON_CHARACTERS: Final = 1024


@dataclass(frozen=True, slots=True)
class Environment:
    """A training container: SageMaker lays out these files and folders for every image, AWS's own and ours."""

    base: Path  # what SageMaker calls `/opt/ml`
    channels: Mapping[str, Path]  # folder of each input channel, by its name in lower case
    hyperparameters: Mapping[str, Any]  # values as given, decoded where they are JSON

    @property
    def model(self) -> Path:
        """What lies here at the end becomes `model.tar.gz` in S3."""
        return self.base / "model"

    @property
    def output(self) -> Path:
        """What lies here at the end becomes `output.tar.gz` in S3."""
        return self.base / "output" / "data"

    @property
    def checkpoints(self) -> Path:
        """Mirrored to S3 all the time, and filled from there when the job starts again."""
        return self.base / Path(CHECKPOINTS).relative_to(BASE)

    def channel(self, *names: str) -> Path | None:
        """Returns the folder of the first of these channels that the job has."""
        return next((self.channels[name] for name in names if name in self.channels), None)


def read_environment(base: Path = BASE) -> Environment:
    """Reads the folders, and the file of hyperparameters that SageMaker writes where there are any."""
    data, file = base / "input" / "data", base / "input" / "config" / "hyperparameters.json"
    channels = {path.name.lower(): path for path in sorted(data.iterdir()) if path.is_dir()} if data.is_dir() else {}
    given = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
    return Environment(base, channels, {key: _read(key, value) for key, value in given.items()})


def main() -> None:
    """Trains, and ends the process as SageMaker expects: with 0, or with a reason in the failure file."""
    # Decoded images belong on the job's volume; the home folder of a container is small.
    os.environ.setdefault("CROSSGUARD_CACHE", str(Path(tempfile.gettempdir()) / "crossguard"))
    base = Path(os.environ.get("SAGEMAKER_BASE_DIR", BASE))
    try:
        _run(read_environment(base))
    except Exception as error:
        # The first kilobyte becomes the reason that AWS shows for a failed job; of a trace, the end says most.
        reason = str(error) if isinstance(error, CrossguardError) else traceback.format_exc()[-_REASON_CHARACTERS:]
        failure = base / "output" / "failure"
        # A process of one of several GPUs has said why it failed; that it failed says less.
        if not (isinstance(error, subprocess.CalledProcessError) and failure.is_file()):
            failure.parent.mkdir(parents=True, exist_ok=True)
            failure.write_text(reason[:_REASON_CHARACTERS], encoding="utf-8")
        if isinstance(error, CrossguardError):
            sys.exit(f"Error: {error}")
        raise


def read_recipe(environment: Environment) -> Recipe:
    """Returns the recipe that the hyperparameters name, with the settings that they change.

    Raises:
        ConfigError: There is no such recipe, or a hyperparameter is no setting of it.
    """
    from crossguard.training.recipes import load

    name = environment.hyperparameters.get("recipe")
    if not isinstance(name, str):
        raise ConfigError("The hyperparameter 'recipe' must name a recipe, such as clip-fusion, or a YAML file.")
    beside = (environment.channel("recipe") or Path()) / name
    settings = {
        key: value
        for key, value in environment.hyperparameters.items()
        if key not in _OURS and not key.startswith("sagemaker_")  # which AWS's toolkit adds
    }
    encoder = environment.channel("encoder")
    if encoder is not None:
        settings["encoder_name"] = str(encoder)
    return load(str(beside) if beside.is_file() else name, [f"{key}={json.dumps(settings[key])}" for key in settings])


def find_data(environment: Environment, recipe: Recipe) -> Path:
    """Returns the tables to train on: the folder of the channel, or its one table for a recipe without sources.

    Raises:
        ConfigError: There is no such channel, or not one table.
    """
    folder = environment.channel("train", "training")
    if folder is None:
        raise ConfigError(f"The job has no channel 'train'. It has: {', '.join(environment.channels) or 'none'}.")
    if recipe.sources:
        return folder
    tables = sorted(folder.glob("*.parquet"))
    if len(tables) != 1:
        names = ", ".join(path.name for path in tables) or "none"
        raise ConfigError(f"The channel 'train' must hold one table (*.parquet), and it holds {names}.")
    return tables[0]


def launcher(devices: int) -> list[str]:
    """Returns the command that runs this module once per device of the machine."""
    start = [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={devices}"]
    return [*start, "-m", "crossguard.deploy.sagemaker.train"]


def _read(key: str, value: Any) -> Any:
    """Returns the value of a hyperparameter; a version that is typed without quotes, such as 1.10, is no number."""
    decoded = _decoded(value)
    return value if key in TEXTS and isinstance(decoded, int | float) else decoded


def _decoded(value: Any) -> Any:
    """Returns a value as its JSON says, or as it is: SageMaker knows only strings, and people write both."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except json.JSONDecodeError:
        return value


def _run(environment: Environment) -> None:
    import torch

    recipe = read_recipe(environment)
    data = find_data(environment, recipe)
    devices = torch.cuda.device_count()
    if devices > 1 and "LOCAL_RANK" not in os.environ:
        subprocess.run(launcher(devices), check=True)  # noqa: S603 - our own command
        return
    _train(environment, recipe, data)


def _train(environment: Environment, recipe: Recipe, data: Path) -> None:
    from crossguard.export.bundle import ExportPlan, export_bundle
    from crossguard.training.run import train
    from crossguard.training.state import STATE

    run = environment.checkpoints
    save_every = int(environment.hyperparameters.get("save_every", SAVE_EVERY))
    train(recipe, data, run, resume=(run / STATE).is_file(), save_every=save_every)
    if os.environ.get("RANK", "0") != "0":
        return
    name, version = (environment.hyperparameters.get(key) for key in ("model_name", "model_version"))
    export_bundle(run, environment.model, ExportPlan(str(name or recipe.backend), str(version or "1.0.0")))
    environment.output.mkdir(parents=True, exist_ok=True)
    for name in _REPORTS:
        if (run / name).is_file():
            shutil.copyfile(run / name, environment.output / name)


if __name__ == "__main__":
    main()
