"""Documents for AWS, written as YAML beside the code and filled in with the values of one deployment.

`{name}` is part of a text; a `$name` stands for a whole value, and among the entries of a list for all of its own. What
has a `when` that does not hold is left out, and so is an entry whose value is None.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml


def document(name: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the document `NAME.yaml`, filled in."""
    text = (Path(__file__).parent / f"{name}.yaml").read_text(encoding="utf-8")
    filled: dict[str, Any] = _filled(yaml.safe_load(text), values)
    return filled


def _filled(node: Any, values: Mapping[str, Any]) -> Any:
    if isinstance(node, str):
        return values[node[1:]] if node.startswith("$") else node.format_map(values)
    if isinstance(node, dict):
        kept = {key: _filled(part, values) for key, part in node.items() if key != "when" and _holds(part, values)}
        return {key: part for key, part in kept.items() if part is not None}
    if isinstance(node, list):
        filled: list[Any] = []
        for part in node:
            if _holds(part, values):
                own = _filled(part, values)
                filled += own if isinstance(part, str) and part.startswith("$") else [own]
        return filled
    return node


def _holds(part: Any, values: Mapping[str, Any]) -> bool:
    return not isinstance(part, dict) or "when" not in part or values[part["when"]]
