"""Every public dataset by its name."""

from __future__ import annotations

import pytest

from crossguard.data.datasets.registry import DATASETS, find
from crossguard.errors import ConfigError


def test_a_name_finds_its_dataset_and_a_wrong_one_gets_a_suggestion() -> None:
    assert all(find(name).name == name for name in DATASETS)
    with pytest.raises(ConfigError, match=r"Unknown dataset 'harmemes'\. Did you mean 'harmeme'\?.*table"):
        find("harmemes")
