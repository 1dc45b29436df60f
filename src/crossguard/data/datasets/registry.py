"""The public datasets by name. To add one: a function and an entry in the file of its kind."""

from __future__ import annotations

from typing import Final

from crossguard.data.datasets import attributes, memes, own, text
from crossguard.data.datasets.rows import Dataset
from crossguard.errors import ConfigError, suggest

DATASETS: Final[dict[str, Dataset]] = {
    dataset.name: dataset for dataset in (*memes.DATASETS, *text.DATASETS, *attributes.DATASETS, *own.DATASETS)
}


def find(name: str) -> Dataset:
    """Returns a dataset by name.

    Raises:
        ConfigError: There is none of that name.
    """
    if name not in DATASETS:
        raise ConfigError(f"Unknown dataset '{name}'.{suggest(name, [*DATASETS, 'table'])}")
    return DATASETS[name]
