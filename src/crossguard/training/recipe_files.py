"""The files of recipes, and what they inherit; to list them, no model is needed."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any

from crossguard.checked_settings import read_yaml
from crossguard.errors import ConfigError, suggest

EXTENDS = "extends"


def shipped() -> dict[str, Path]:
    """Returns the recipes that come with the package, by name."""
    folder = Path(str(resources.files("crossguard"))) / "resources" / "recipes"
    return {path.stem: path for path in sorted(folder.glob("*.yaml"))}


def inherited(name: str, seen: tuple[Path, ...] = ()) -> dict[str, Any]:
    """Returns the settings of a recipe and of all that it extends, unchecked.

    Raises:
        ConfigError: There is none of that name, its file cannot be read, or it extends itself.
    """
    path = _path(name, seen[-1].parent if seen else Path())
    if path in seen:
        raise ConfigError(f"Recipes inherit in a circle: {' -> '.join(map(str, (*seen, path)))}.")
    settings = read_yaml(path)
    parent = settings.pop(EXTENDS, None)
    return settings if parent is None else _merged(inherited(str(parent), (*seen, path)), settings)


def _path(name: str, folder: Path) -> Path:
    """Returns the file of a recipe; the name of one that is not shipped starts at the folder."""
    known = shipped()
    if name in known:
        return known[name]
    path = (folder / name).resolve()
    if path.suffix in {".yaml", ".yml"} and path.is_file():
        return path
    raise ConfigError(f"Unknown recipe '{name}'.{suggest(name, known)} A YAML file works too.")


def _merged(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in over.items():
        old = merged.get(key)
        merged[key] = _merged(old, value) if isinstance(old, dict) and isinstance(value, dict) else value
    return merged
