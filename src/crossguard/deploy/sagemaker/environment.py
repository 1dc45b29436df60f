"""What SageMaker tells a training container: folders, channels and hyperparameters.

With AWS's training toolkit in the image, everything comes in `SM_...` variables and flags; without it, from the files
and folders below `/opt/ml`. Both are read, so one entry point serves both kinds of image.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from crossguard.deploy.sagemaker.job import CHECKPOINTS
from crossguard.errors import ConfigError

BASE: Final = "/opt/ml"
_CHANNEL: Final = "SM_CHANNEL_"


@dataclass(frozen=True, slots=True)
class Environment:
    """A training container.

    Attributes:
        channels: Folder of each input channel, by its name in lower case.
        model: What lies here at the end becomes `model.tar.gz` in S3.
        output: What lies here at the end becomes `output.tar.gz` in S3.
        checkpoints: Mirrored to S3 all the time, and filled from there when the job starts again.
        failure: A file whose first kilobyte becomes the reason that AWS shows for a failed job.
        hyperparameters: Values as given, decoded where they are JSON.
    """

    channels: Mapping[str, Path]
    model: Path
    output: Path
    checkpoints: Path
    failure: Path
    hyperparameters: Mapping[str, Any]

    def channel(self, *names: str) -> Path | None:
        """Returns the folder of the first of these channels that the job has."""
        return next((self.channels[name] for name in names if name in self.channels), None)


def read_environment(arguments: Sequence[str], variables: Mapping[str, str]) -> Environment:
    """Reads flags, variables and files; flags win over `SM_HPS`, which wins over the file of hyperparameters.

    Raises:
        ConfigError: Hyperparameters are not what they should be.
    """
    base = Path(variables.get("SAGEMAKER_BASE_DIR", BASE))
    given = {
        **_from_file(base / "input" / "config" / "hyperparameters.json"),
        **_decode_all(variables.get("SM_HPS", "{}"), "SM_HPS"),
        **_from_flags(arguments),
    }
    return Environment(
        channels=_channels(base, variables),
        model=Path(variables.get("SM_MODEL_DIR", base / "model")),
        output=Path(variables.get("SM_OUTPUT_DATA_DIR", base / "output" / "data")),
        checkpoints=base / Path(CHECKPOINTS).relative_to(BASE),
        failure=base / "output" / "failure",
        hyperparameters={key: _decoded(value) for key, value in given.items()},
    )


def _channels(base: Path, variables: Mapping[str, str]) -> dict[str, Path]:
    data = base / "input" / "data"
    folders = {path.name.lower(): path for path in sorted(data.iterdir()) if path.is_dir()} if data.is_dir() else {}
    told = {
        name.removeprefix(_CHANNEL).lower(): Path(variables[name]) for name in variables if name.startswith(_CHANNEL)
    }
    return {**folders, **told}


def _from_file(path: Path) -> dict[str, Any]:
    return _decode_all(path.read_text(encoding="utf-8"), str(path)) if path.is_file() else {}


def _decode_all(text: str, where: str) -> dict[str, Any]:
    try:
        values = json.loads(text)
    except json.JSONDecodeError as error:
        raise ConfigError(f"{where} must be JSON: {error}") from None
    if not isinstance(values, dict):
        raise ConfigError(f"{where} must hold an object of hyperparameters, not {type(values).__name__}.")
    return values


def _from_flags(arguments: Sequence[str]) -> dict[str, Any]:
    """Reads `--key value` and `--key=value`, as AWS's toolkit passes every hyperparameter."""
    values: dict[str, Any] = {}
    rest = list(arguments)
    while rest:
        flag = rest.pop(0)
        if not flag.startswith("--"):
            raise ConfigError(f"Hyperparameters are given as --key value, and there is '{flag}' without a key.")
        key, equals, value = flag.removeprefix("--").partition("=")
        if not equals and (not rest or rest[0].startswith("--")):
            raise ConfigError(f"The hyperparameter --{key} has no value.")
        values[key] = value if equals else rest.pop(0)
    return values


def _decoded(value: Any) -> Any:
    """Returns a value as its JSON says, or as it is: SageMaker knows only strings, and people write both."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except json.JSONDecodeError:
        return value
