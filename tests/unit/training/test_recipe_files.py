"""The files of recipes, read without what trains by them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from crossguard.errors import ConfigError
from crossguard.training.recipe_files import inherited, shipped


def test_recipes_are_described_without_torch() -> None:
    code = (
        "import sys; from crossguard.training.recipe_files import inherited, shipped; "
        "assert all(inherited(name)['description'] for name in shipped()); assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_mappings_are_merged_and_values_replaced(tmp_path: Path) -> None:
    (tmp_path / "base.yaml").write_text("seed: 1\nsources: {a: {weight: 1}, b: {}}\n")
    (tmp_path / "own.yaml").write_text("extends: base.yaml\nseed: 2\nsources: {a: {repeat: 3}}\n")
    assert inherited(str(tmp_path / "own.yaml")) == {"seed": 2, "sources": {"a": {"weight": 1, "repeat": 3}, "b": {}}}


def test_what_is_no_recipe_or_extends_itself_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"Unknown recipe 'compac'\. Did you mean"):
        inherited("compac")
    (tmp_path / "own.yaml").write_text("extends: own.yaml\n")
    with pytest.raises(ConfigError, match="Recipes inherit in a circle"):
        inherited(str(tmp_path / "own.yaml"))
    assert "compact" in shipped()
