"""Finding, inheriting and overriding recipes, and their settings in words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import yaml
from annotated_types import Ge, Gt, Le, Lt
from pydantic.fields import FieldInfo

from crossguard.checked_settings import StrictModel, parse, read_yaml
from crossguard.errors import ConfigError, suggest
from crossguard.training.recipe import Recipe, Source

EXTENDS = "extends"


def shipped() -> dict[str, Path]:
    """Returns the recipes that come with the package, by name."""
    folder = Path(str(resources.files("crossguard"))) / "resources" / "recipes"
    return {path.stem: path for path in sorted(folder.glob("*.yaml"))}


def load(name: str, overrides: Sequence[str] = ()) -> Recipe:
    """Reads a recipe, a shipped name or a YAML file, with all that it inherits; a source that is set to null is none.

    Overrides are `key=value` each, with the value as YAML; `a.b=value` reaches into a mapping.
    """
    settings = _inherited(name, ())
    for override in overrides:
        _override(settings, override)
    sources = settings.get("sources")
    if isinstance(sources, dict):
        settings["sources"] = {key: source for key, source in sources.items() if source is not None}
    return parse(Recipe, settings, f"Recipe '{name}'")


def to_yaml(recipe: Recipe) -> str:
    """Returns the whole recipe, defaults included."""
    text: str = yaml.safe_dump(recipe.to_dict(), sort_keys=False, allow_unicode=True)
    return text


def _inherited(name: str, seen: tuple[str, ...]) -> dict[str, Any]:
    if name in seen:
        raise ConfigError(f"Recipes inherit in a circle: {' -> '.join((*seen, name))}.")
    settings = read_yaml(_path(name, seen))
    parent = settings.pop(EXTENDS, None)
    return settings if parent is None else _merged(_inherited(str(parent), (*seen, name)), settings)


def _path(name: str, seen: tuple[str, ...]) -> Path:
    known = shipped()
    if name in known:
        return known[name]
    beside = Path(seen[-1]).parent / name if seen else Path(name)
    for path in (Path(name), beside):
        if path.suffix in {".yaml", ".yml"} and path.is_file():
            return path
    raise ConfigError(f"Unknown recipe '{name}'.{suggest(name, known)} A YAML file works too.")


def _merged(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in over.items():
        old = merged.get(key)
        merged[key] = _merged(old, value) if isinstance(old, dict) and isinstance(value, dict) else value
    return merged


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
    place[last] = yaml.safe_load(value)


@dataclass(frozen=True, slots=True)
class Setting:
    """One key of a recipe, in words."""

    name: str
    default: str
    allowed: str
    meaning: str


def settings(model: type[StrictModel] = Recipe) -> list[Setting]:
    """Returns the settings of a recipe, or of one of its sources, in the order of the table."""
    return [
        Setting(name, _default(field), ", ".join(_allowed(field.annotation, field.metadata)), str(field.description))
        for name, field in model.model_fields.items()
    ]


def markdown() -> str:
    """Returns the two tables of docs/reference/recipes.md."""
    parts = ["## Settings of a recipe", _table(Recipe), "## Settings of a source", _table(Source)]
    return "\n\n".join(parts) + "\n"


def _table(model: type[StrictModel]) -> str:
    rows = (f"| `{one.name}` | {_code(one.default)} | {one.allowed} | {one.meaning} |" for one in settings(model))
    return "\n".join(["| key | default | allowed | meaning |", "|---|---|---|---|", *rows])


def _code(text: str) -> str:
    return f"`{text}`" if text else ""


def _default(field: FieldInfo) -> str:
    value = field.get_default(call_default_factory=True)
    return _yaml(value)


def _yaml(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return f"[{', '.join(_yaml(part) for part in value)}]"
    if isinstance(value, dict):
        return f"{{{', '.join(f'{key}: {_yaml(part)}' for key, part in value.items())}}}"
    return f"{value:g}" if isinstance(value, float) else str(value)


def _allowed(annotation: Any, metadata: list[Any] | tuple[Any, ...] = ()) -> Iterator[str]:
    """Yields the choices and bounds of a type, those of its parts included."""
    signs = ((Ge, "ge", "≥"), (Gt, "gt", ">"), (Le, "le", "≤"), (Lt, "lt", "<"))
    for entry in metadata:
        if isinstance(entry, FieldInfo):
            yield from _allowed(None, entry.metadata)
        for kind, name, sign in signs:
            if isinstance(entry, kind):
                yield f"{sign} {getattr(entry, name):g}"
    if get_origin(annotation) is Literal:
        yield ", ".join(f"`{choice}`" for choice in get_args(annotation))
        return
    for part in get_args(annotation):
        if not isinstance(part, FieldInfo):
            yield from _allowed(part, getattr(annotation, "__metadata__", ()))
