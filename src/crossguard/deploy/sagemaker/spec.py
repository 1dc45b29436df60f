"""What shall be deployed, as a YAML file that can be reviewed and kept: `kind` and the fields of that kind."""

from __future__ import annotations

from pathlib import Path
from typing import Final, TypeAlias

from crossguard.checked_settings import parse, read_yaml
from crossguard.deploy.sagemaker.endpoint import Endpoint
from crossguard.deploy.sagemaker.jobs import BatchTransform, TrainingJob
from crossguard.errors import ConfigError, suggest

Deployed: TypeAlias = Endpoint | BatchTransform | TrainingJob
KINDS: Final[dict[str, type[Deployed]]] = {"endpoint": Endpoint, "transform": BatchTransform, "training": TrainingJob}


def read_spec(path: Path) -> Deployed:
    """Reads a file.

    Raises:
        ConfigError: The file is missing or wrong; all problems are told at once.
    """
    data = read_yaml(path)
    kind = str(data.get("kind", ""))
    if kind not in KINDS:
        raise ConfigError(f"{path}: Unknown kind '{kind}'.{suggest(kind, KINDS)}")
    return parse(KINDS[kind], data, str(path))
