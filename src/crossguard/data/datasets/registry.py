"""The public datasets by name. To add one: a file of the same shape, and a line here."""

from __future__ import annotations

from typing import Final

from crossguard.data.datasets import (
    civil,
    davidson,
    edos,
    ethos,
    harmeme,
    hateful_memes,
    hatemoji_build,
    jigsaw,
    misogyny,
    mlma,
    mmhs150k,
    mmhs150k_words,
    olid,
    religious_memes,
    stormfront,
    surge,
    templates,
    toxigen,
    tweeteval_hate,
)
from crossguard.data.datasets.rows import Dataset
from crossguard.errors import ConfigError, suggest

DATASETS: Final[dict[str, Dataset]] = {
    module.DATASET.name: module.DATASET
    for module in (
        mmhs150k,
        hateful_memes,
        harmeme,
        religious_memes,
        davidson,
        edos,
        ethos,
        tweeteval_hate,
        hatemoji_build,
        toxigen,
        stormfront,
        misogyny,
        mlma,
        olid,
        mmhs150k_words,
        jigsaw,
        civil,
        surge,
        templates,
    )
}


def find(name: str) -> Dataset:
    """Returns a dataset by name.

    Raises:
        ConfigError: There is none of that name.
    """
    if name not in DATASETS:
        raise ConfigError(f"Unknown dataset '{name}'.{suggest(name, [*DATASETS, 'table'])}")
    return DATASETS[name]
