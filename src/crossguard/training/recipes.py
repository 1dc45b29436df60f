"""Checking and overriding recipes, and the page of their settings."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import yaml

from crossguard.checked_settings import StrictModel, parse, parse_yaml, settings
from crossguard.errors import ConfigError
from crossguard.training.recipe import Recipe, Source
from crossguard.training.recipe_files import inherited


def load(name: str, overrides: Sequence[str] = ()) -> Recipe:
    """Reads a recipe, a shipped name or a YAML file, with all that it inherits; a source that is set to null is none.

    Overrides are `key=value` each, with the value as YAML; `a.b=value` reaches into a mapping.
    """
    settings = inherited(name)
    for override in overrides:
        _override(settings, override)
    sources = settings.get("sources")
    if isinstance(sources, dict):
        settings["sources"] = {key: source for key, source in sources.items() if source is not None}
    return parse(Recipe, settings, f"Recipe '{name}'")


def to_yaml(recipe: Recipe) -> str:
    """Returns the whole recipe, defaults included."""
    text: str = yaml.safe_dump(recipe.model_dump(mode="json"), sort_keys=False, allow_unicode=True)
    return text


def _override(settings: dict[str, Any], override: str) -> None:
    key, equals, value = override.partition("=")
    if not equals:
        raise ConfigError(f"--set takes key=value, as in lr_head=3e-4, and got '{override}'.")
    *path, last = key.strip().split(".")
    place = settings
    for part in path:
        place = place.setdefault(part, {})
        if not isinstance(place, dict):
            raise ConfigError(f"--set {override}: '{part}' is a value, not a mapping.")
    place[last] = parse_yaml(value, f"--set {override}: the value")


def markdown() -> str:
    """Returns the two tables of docs/reference/recipes.md."""
    parts = ["## Settings of a recipe", _table(Recipe), "## Settings of a source", _table(Source)]
    return "\n\n".join(parts) + "\n"


def _table(model: type[StrictModel]) -> str:
    rows = (f"| `{one.name}` | {one.code} | {one.allowed} | {one.meaning} |" for one in settings(model))
    return "\n".join(["| key | default | allowed | meaning |", "|---|---|---|---|", *rows])
