"""JSON that holds posts in another shape than one object each, and the command that takes them out."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from typing import Any, Final

from crossguard.data.columns import MORE_WORDS, OTHER_NAMES

TEXTS: Final = frozenset({"text", *OTHER_NAMES["text"]})
# Of an object inside another one; at the top, these are found as columns.
_WORDS: Final = TEXTS.union(MORE_WORDS)


def whole_table(row: Mapping[str, Any]) -> str | None:
    """Returns what to say of an object that is itself a table: by columns, or by the ids of the posts; else None."""
    values = list(row.values())
    if _is_split(row) or (TEXTS & set(row) and _are_columns(values)):
        return (
            "holds columns, and an object per post is needed. From pandas: "
            "frame.to_json('posts.jsonl', orient='records', lines=True)"
        )
    if len(row) > 1 and all(map(_holds_words, values)):
        return "holds posts by id. Take them out: jq -c 'to_entries[] | {id: .key} + .value' FILE > posts.jsonl"
    if values and all(name.isdigit() and isinstance(value, str) for name, value in row.items()):
        return "holds texts by id. Take them out: jq -c 'to_entries[] | {id: .key, text: .value}' FILE > posts.jsonl"
    return None


def around_posts(row: Mapping[str, Any]) -> str | None:
    """Returns what to say of an object in which a list of objects may be the posts; else None."""
    lists = [name for name, value in row.items() if isinstance(value, list) and value and isinstance(value[0], dict)]
    if not lists:
        return None
    lists.sort(key=lambda name: not _holds_words(row[name][0]))
    return (
        f"is no post, and its '{lists[0]}' is a list of objects. If these are posts, take them out: "
        f"jq -c '{_path(lists[0])}[]' FILE > posts.jsonl. If a text is deeper in each: jq -c '{_path(lists[0])}[].A.B'"
    )


def inside_post(row: Mapping[str, Any]) -> str | None:
    """Returns what to say of an object whose text is in an object inside it; else None."""
    inner = [name for name, value in row.items() if _holds_words(value)]
    inner.sort(key=lambda name: TEXTS.isdisjoint(row[name]))  # a description may be its author's
    if not inner:
        return None
    return (
        f"has no text or image of its own, but its '{inner[0]}' may: jq -c '. + {_path(inner[0])}' FILE > posts.jsonl"
    )


def bare_item(item: Any) -> str | None:
    """Returns what to say of an array whose first item is a text or a row without names; else None."""
    if isinstance(item, str):
        return "holds texts, and an object per post is needed: jq -c '.[] | {text: .}' FILE > posts.jsonl"
    texts = [place for place, cell in enumerate(item) if isinstance(cell, str)] if isinstance(item, list) else []
    if not texts:
        return None
    return (
        "holds rows without names, and an object per post is needed. Say where the text stands, counted from 0: "
        f"jq -c '.[] | {{text: .[{texts[0]}]}}' FILE > posts.jsonl"
    )


def _holds_words(value: Any) -> bool:
    return isinstance(value, dict) and not _WORDS.isdisjoint(value)


def _path(name: str) -> str:
    return f".{name}" if name.isascii() and name.isidentifier() else f".[{json.dumps(name)}]"


def _is_split(row: Mapping[str, Any]) -> bool:
    """Whether this is a table as pandas writes it with orient='split'."""
    data = row.get("data")
    return (
        isinstance(row.get("columns"), list) and isinstance(data, list) and all(isinstance(each, list) for each in data)
    )


def _are_columns(values: Collection[Any]) -> bool:
    """Whether these are lists, or objects by row, of one length."""
    if any(map(_holds_words, values)):
        return False
    lengths = {len(value) if isinstance(value, list | dict) else 0 for value in values}
    return len(lengths) == 1 and 0 not in lengths
