"""Which columns of a table hold what, and a row of them as a `Post`."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from crossguard.data.image_sources import is_url
from crossguard.errors import PostError, TableError, suggest
from crossguard.records import ImageSource, Post


@dataclass(frozen=True, slots=True)
class Columns:
    """Names of the columns; a table needs only one of `text`, `image_path`, `image` and `image_text`.

    Attributes:
        id: The post's own name; where there is none, `line-N` or `row-N` is used.
        text: What the author wrote.
        image_path: A path (relative ones start from the image root), or a `data:` URL.
        image_text: Words read from the picture.
        image: Encoded bytes, a `data:` URL, or the struct of bytes and path that Hugging Face datasets store.
    """

    id: str = "id"
    text: str = "text"
    image_path: str = "image_path"
    image_text: str = "image_text"
    image: str = "image"

    @property
    def renamed(self) -> dict[str, str]:
        """The names that the caller chose, by what they hold."""
        return {
            field.name: getattr(self, field.name) for field in fields(self) if getattr(self, field.name) != field.name
        }

    @property
    def names(self) -> tuple[str, ...]:
        """All names, `id` first."""
        return (self.id, *self.content)

    @property
    def content(self) -> tuple[str, ...]:
        """The columns of which a table needs at least one."""
        return (self.text, self.image_path, self.image_text, self.image)

    def check_header(self, header: Iterable[str], where: str) -> None:
        """Checks the column names of a whole table.

        Raises:
            TableError: A renamed column is missing, a used one is doubled, or none can be scored.
        """
        present = list(header)
        for meaning, name in self.renamed.items():
            if name not in present:
                raise TableError(f"{where} has no column '{name}' for {meaning}.{suggest(name, present)}")
        doubled = sorted({name for name in self.names if present.count(name) > 1})
        if doubled:
            raise TableError(
                f"{where} has the column '{doubled[0]}' twice; rename one, as it is not clear which counts."
            )
        if not set(present) & set(self.content):
            raise self.nothing_to_score(present, where)

    def nothing_to_score(self, present: Iterable[str], where: str) -> TableError:
        """Returns the error for a table in which no column is known."""
        return TableError(
            f"{where} has none of the columns {', '.join(self.content)}. It has: {', '.join(present) or 'none'}. "
            "Name yours with --text-column, --image-path-column or --image-column."
        )


@dataclass(frozen=True, slots=True)
class PostBuilder:
    """Turns rows into posts.

    Attributes:
        columns: Which column holds what.
        image_root: The folder that relative image paths start from.
    """

    columns: Columns
    image_root: Path

    def build(self, row: Mapping[str, Any], place: str) -> Post:
        """Returns the post of one row.

        Args:
            row: Values by column name; absent and None mean empty.
            place: The name of the row, used as id where it has none.
        """
        columns = self.columns
        id_ = place
        try:
            id_ = _as_text(row.get(columns.id), columns.id) or place
            text = _as_text(row.get(columns.text), columns.text)
            image_text = _as_text(row.get(columns.image_text), columns.image_text)
            image = self._image(row.get(columns.image), columns.image)
            if image is None:
                image = self._image(row.get(columns.image_path), columns.image_path)
        except PostError as error:
            return Post.failed(id_, error.code, f"{place}: {error}")
        return Post(id_, text, image, image_text)

    def _image(self, value: Any, column: str) -> ImageSource | None:
        if isinstance(value, Mapping) and {"bytes", "path"} & set(value):
            value = value.get("bytes") or value.get("path")
        if isinstance(value, bytes):
            return value or None
        text = _as_text(value, column)
        if not text:
            return None
        return text if is_url(text) else str(self.image_root / text)


def _as_text(value: Any, column: str) -> str:
    """Returns a cell as text; numbers are written out, as ids often are numbers."""
    if isinstance(value, str):
        return _whole(value)
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise PostError("field_bad_type", f"'{column}' must be a text, not {type(value).__name__}.")
    # pandas turns whole numbers of a column with gaps into floats.
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def _whole(text: str) -> str:
    """Replaces half characters (lone surrogates), which can be read from JSON and never written as UTF-8."""
    if text.isascii():
        return text
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
