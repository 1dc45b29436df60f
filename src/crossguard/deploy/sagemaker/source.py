"""Crossguard's own code as files of an archive, so that a container needs no release of it and no checkout."""

from __future__ import annotations

import importlib.metadata
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from crossguard.deploy.sagemaker.archive import Source

PACKAGE: Final = Path(__file__).resolve().parents[2]
_EXTRA: Final = re.compile(r"""extra\s*==\s*['"]([\w-]+)['"]""")

INFERENCE: Final = b'''"""What the SageMaker PyTorch containers call; see `crossguard.deploy.sagemaker.inference`."""

from crossguard.deploy.sagemaker.inference import input_fn, model_fn, output_fn, predict_fn

__all__ = ["input_fn", "model_fn", "output_fn", "predict_fn"]
'''

TRAIN: Final = b'''"""What the SageMaker PyTorch containers run; see `crossguard.deploy.sagemaker.train`."""

from crossguard.deploy.sagemaker.train import main

if __name__ == "__main__":
    main()
'''


def inference_code() -> dict[str, Source]:
    """Returns the files of the folder `code` of a model archive."""
    return {"inference.py": INFERENCE, "requirements.txt": requirements(), **_files("*.py")}


def training_code() -> dict[str, Source]:
    """Returns the files of a training job's source archive."""
    recipes = {
        path.relative_to(PACKAGE.parent).as_posix(): path for path in (PACKAGE / "resources" / "recipes").glob("*.yaml")
    }
    return {
        "train.py": TRAIN,
        "requirements.txt": requirements("train", "evaluate", "parquet"),
        **_files("*.py"),
        **recipes,
    }


def requirements(*extras: str) -> bytes:
    """Returns what a container must install: what this Crossguard declares, with extras, and not Crossguard itself."""
    return "".join(f"{line}\n" for line in _declared(extras)).encode()


def _declared(extras: Sequence[str]) -> list[str]:
    lines = []
    for line in importlib.metadata.requires("crossguard") or []:
        requirement, _, condition = line.partition(";")
        extra = _EXTRA.search(condition)
        if requirement.startswith("crossguard") or (extra and extra[1] not in extras):
            continue
        lines.append(requirement.strip())
    return sorted(set(lines))


def _files(pattern: str) -> dict[str, Source]:
    return {path.relative_to(PACKAGE.parent).as_posix(): path for path in PACKAGE.rglob(pattern)}
