"""The settings of a recipe as a person reads them: name, default, allowed values, meaning, from the one table."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal, get_args, get_origin

from annotated_types import Ge, Gt, Le, Lt
from pydantic.fields import FieldInfo

from crossguard.checked_settings import StrictModel
from crossguard.training.recipe import Recipe, Source


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
