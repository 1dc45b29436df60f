"""Which columns of a table hold what, and a row of them as a `Post`."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any, Final

from crossguard.data.image_sources import as_image, check_inside, is_missing, is_url
from crossguard.errors import PostError, TableError, suggest
from crossguard.records import ImageSource, Post

_KNOWN_SHAPES: Final = 1000
# As pandas and spreadsheets write them.
_YES_OR_NO: Final = {"true": 1.0, "false": 0.0, "yes": 1.0, "no": 0.0}
_UNKNOWN: Final = frozenset({"", "nan", "null", "none", "na", "n/a", "#n/a"})
_DECIMAL_COMMA: Final = re.compile(r"0,\d+|1,0")
# Other names that tables give the same things; read as such where exactly one is there, and said so.
OTHER_NAMES: Final[Mapping[str, tuple[str, ...]]] = {
    "id": ("post_id", "tweet_id", "comment_id", "message_id", "_id"),
    "text": (
        *("comment", "message", "tweet", "body", "content", "post", "sentence"),
        *("comment_text", "tweet_text", "post_text", "message_text"),
    ),
    "image_path": ("img", "img_path", "image_file", "photo", "picture"),
    "image_text": ("ocr", "ocr_text", "img_text"),
    "image": (),
}
# Addresses in the web, which are fetched only by a job, and only where it is told to.
ADDRESSES: Final = frozenset({"image_url", "img_url", "photo_url", "picture_url"})


@dataclass(frozen=True, slots=True)
class Columns:
    """Names of the columns; a table needs only one of `text`, `image_path`, `image` and `image_text`.

    A name that the caller did not change is also found in another case, or under one of `OTHER_NAMES`.

    Attributes:
        id: The post's own name; where there is none, `line-N` or `row-N` is used.
        image_path: A path (relative ones start from the image root), or a `data:` URL.
        image: Encoded bytes, a `data:` URL, or the struct of bytes and path that Hugging Face datasets store.
        addresses: Whether a column of `ADDRESSES` is read as `image_path`, because they are fetched.
    """

    id: str = "id"
    text: str = "text"
    image_path: str = "image_path"
    image_text: str = "image_text"
    image: str = "image"
    addresses: bool = False

    @property
    def renamed(self) -> dict[str, str]:
        """The names that the caller chose, by what they hold."""
        chosen = {meaning: getattr(self, meaning) for meaning in OTHER_NAMES}
        return {meaning: name for meaning, name in chosen.items() if name != meaning}

    @property
    def content(self) -> tuple[str, ...]:
        """The columns of which a table needs at least one."""
        return (self.text, self.image_path, self.image_text, self.image)

    def find(self, header: Iterable[str], where: str) -> dict[str, str]:
        """Returns the column of each meaning that a table has.

        Raises:
            TableError: A renamed column is missing, a used one is doubled, or it is not clear what can be scored.
        """
        present = list(header)
        for meaning, name in self.renamed.items():
            if name not in present:
                raise TableError(f"{where} has no column '{name}' for {meaning}.{suggest(name, present)}")
        found = self.match(present, where)
        for name in found.values():
            if present.count(name) > 1:
                raise TableError(f"{where} has the column '{name}' twice; rename one, as it is not clear which counts.")
        if not set(found) - {"id"}:
            raise self.nothing_to_score(present, where)
        return found

    def match(self, present: Iterable[str], where: str) -> dict[str, str]:
        """Returns the column of each meaning among these names; meanings without one are absent.

        Raises:
            TableError: Several could be what was written, and none has the plain name.
        """
        names = list(dict.fromkeys(present))
        found: dict[str, str] = {}
        for meaning in OTHER_NAMES:
            wanted = getattr(self, meaning)
            if wanted in names:
                found[meaning] = wanted
            elif wanted == meaning:
                found |= self._other_name(meaning, names, where)
        return found

    def _other_name(self, meaning: str, names: list[str], where: str) -> dict[str, str]:
        fetched = ADDRESSES if self.addresses and meaning == "image_path" else ()
        for known in ((meaning,), OTHER_NAMES[meaning], fetched):
            close = [name for name in names if _plain(name) in known]
            if len(close) == 1:
                return {meaning: close[0]}
            if len(close) > 1 and meaning == "text":
                raise TableError(
                    f"{where} has several columns that could be the text: {', '.join(close)}. "
                    f"Say which one: --text-column '{close[0]}'"
                )
        return {}

    def notes(self, found: Mapping[str, str]) -> list[str]:
        """Returns one sentence per column that was found under another name than the caller said."""
        return [
            f"column '{name}' is read as {meaning}; another one: --{meaning.replace('_', '-')}-column NAME"
            for meaning, name in found.items()
            if name != getattr(self, meaning)
        ]

    def nothing_to_score(self, present: Iterable[str], where: str) -> TableError:
        """Returns the error for a table in which no column is known."""
        names = [name for name in present if name]
        return TableError(
            f"{where} has none of the columns {', '.join(self.content)}. It has: {', '.join(names) or 'none'}. "
            "Name yours with --text-column, --image-path-column or --image-column."
            + (" If each line is a text: --input-format txt" if len(names) <= 1 else "")
            + (
                " Or is the first line a post? Then add a line above it that names the columns."
                if _is_post(names)
                else ""
            )
        )


class PostBuilder:
    """Turns rows into posts.

    Args:
        columns: Which column holds what.
        image_root: The folder that relative image paths start from.
        extra: Whether a post carries the other columns of its row.
        confined: Whether images must lie in that folder, with all links followed.

    Attributes:
        header: The columns of the table, once it was opened; those of the first object of JSON.
        notes: What a person should know about the columns, one sentence each.
    """

    def __init__(self, columns: Columns, image_root: Path, *, extra: bool = False, confined: bool = False) -> None:
        self.columns = columns
        self.extra = extra
        self.confined = confined
        self.header: tuple[str, ...] = ()
        self.found: dict[str, str] = {}
        self.notes: list[str] = []
        self._image_root = image_root
        # By the names of a row: the objects of JSON may differ in theirs.
        self._matches: dict[tuple[str, ...], dict[str, str]] = {}

    def open(self, header: Iterable[str], where: str) -> dict[str, str]:
        """Checks the columns of a whole table, and returns those that are used by what they hold.

        Raises:
            TableError: A column is missing, doubled or not clear.
        """
        names = tuple(header)
        self.columns.find(names, where)
        self.note(names, where)
        return self.found

    def check_first(self, row: Mapping[str, Any], where: str) -> None:
        """Checks a first object, which may leave empty fields out: only texts under other names are an error.

        Raises:
            TableError: No column is known, or none of the renamed ones is there.
        """
        self.note(row, where)
        wrong = [name for name in self.columns.renamed.values() if name not in row]
        if wrong and len(wrong) == len(self.columns.renamed):
            self.columns.find(row, where)
        others = [name for name, value in row.items() if isinstance(value, str) and name != self.columns.id]
        if others and not set(self.found) - {"id"}:
            raise self.columns.nothing_to_score(row, where)

    def note(self, header: Iterable[str], where: str) -> None:
        """Remembers the columns, and what was found under another name."""
        self.header = tuple(header)
        self.found = self.columns.match(self.header, where)
        self.notes = self.columns.notes(self.found)
        if column := unread_addresses(self.header, self.found):
            self.notes.append(
                f"column '{column}' is not read, so posts are scored without these images. To fetch them: -o FOLDER/ "
                f"--image-path-column '{column}' --fetch-origin https://HOST"
            )

    def build(self, row: Mapping[str, Any], place: str) -> Post:
        """Returns the post of one row.

        Args:
            row: Values by column name; absent and None mean empty.
            place: The name of the row, used as id where it has none.
        """
        id_ = place
        try:
            found = self._found(row)
            cells = {meaning: row.get(name) for meaning, name in found.items()}
            id_ = as_text(cells.get("id"), found.get("id", "id")) or place
            text = as_text(cells.get("text"), found.get("text", "text"))
            image_text = as_text(cells.get("image_text"), found.get("image_text", "image_text"))
            image = self._image(cells.get("image"), "image")
            if image is None:
                image = self._image(cells.get("image_path"), "image_path")
        except PostError as error:
            return Post.failed(id_, error.code, f"{place}: {error}")
        used = set(found.values())
        extra = {name: cell for name, cell in row.items() if name not in used} if self.extra else {}
        return Post(id_, text, image, image_text, extra)

    def build_read(self, row: Mapping[str, Any] | None, number: int) -> Post:
        """Returns the post of a row of a binary file; a failed one where it holds a text that is not UTF-8 (None)."""
        if row is None:
            return Post.failed(f"row-{number}", "invalid_utf8", f"Row {number}: not valid UTF-8.")
        return self.build(row, f"row-{number}")

    def _found(self, row: Mapping[str, Any]) -> dict[str, str]:
        names = tuple(row)
        if names not in self._matches:
            try:
                found = self.columns.match(names, "The row")
            except TableError as error:
                raise PostError("field_ambiguous", str(error)) from None
            if len(self._matches) >= _KNOWN_SHAPES:
                return found
            self._matches[names] = found
        return self._matches[names]

    def _image(self, value: Any, column: str) -> ImageSource | None:
        image = as_image(value)
        if isinstance(image, bytes):
            return image or None
        if hasattr(image, "__array_interface__"):  # a PIL image or an array, from Python
            return image
        text = str(image) if isinstance(image, PathLike) else as_text(image, column)
        if not text:
            return None
        if is_url(text):
            return text
        path = self._image_root / text
        if self.confined:
            check_inside(path, self._image_root)
        return str(path)


class AnyBuilder(PostBuilder):
    """Makes posts of any table: what is annotated need not hold words or images where scores come from elsewhere."""

    def open(self, header: Iterable[str], where: str) -> dict[str, str]:
        """Remembers the columns."""
        self.note(header, where)
        return self.found

    def check_first(self, row: Mapping[str, Any], where: str) -> None:
        """Remembers the columns."""
        self.note(row, where)


class RowBuilder(AnyBuilder):
    """Carries whole rows in `Post.extra`, for tables of which something else than posts is wanted."""

    def __init__(self) -> None:
        super().__init__(Columns(), Path(), extra=True)

    def note(self, header: Iterable[str], where: str) -> None:  # noqa: ARG002 - any header will do
        """Remembers the columns."""
        self.header = tuple(header)

    def build(self, row: Mapping[str, Any], place: str) -> Post:
        """Returns the row as it is."""
        return Post(place, extra=dict(row))


def _is_post(names: Iterable[str]) -> bool:
    """Whether the header of a table looks like a post: a number, or several words."""
    return any(name.isdigit() or name.count(" ") > 1 for name in names)


def unread_addresses(names: Iterable[str], found: Mapping[str, str]) -> str | None:
    """Returns the column of web addresses of images among these; None where images come from another column."""
    if {"image", "image_path"} & set(found):
        return None
    return next((name for name in names if _plain(name) in ADDRESSES), None)


def share_of(value: Any, name: str, where: str) -> float:
    """Returns the share of annotators who gave a label, in [0, 1]; NaN where the cell is empty, as then nobody knows.

    Raises:
        TableError: The cell holds anything else.
    """
    if isinstance(value, str):
        word = value.strip().lower()
        value = None if word in _UNKNOWN else _YES_OR_NO.get(word, value)
        if _DECIMAL_COMMA.fullmatch(word):
            value = word.replace(",", ".")
    if value is None:
        return math.nan
    try:
        share = float(value)
    except (TypeError, ValueError):
        share = -1.0
    if 0 <= share <= 1 or math.isnan(share):
        return share
    raise TableError(
        f"{where}: '{name}' must be a number from 0 to 1, yes or no, or empty where unknown, and is {value!r}."
    )


def as_text(value: Any, column: str) -> str:
    """Returns a cell as text; numbers are written out, as ids often are numbers, and None and NaN are empty.

    Raises:
        PostError: `field_bad_type`.
    """
    if isinstance(value, str):
        return _whole(value)
    if is_missing(value):
        return ""
    if hasattr(value, "item"):  # a number of NumPy
        value = value.item()
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise PostError("field_bad_type", f"'{column}' must be a text, not {type(value).__name__}.")
    # pandas turns whole numbers of a column with gaps into floats.
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def _whole(text: str) -> str:
    """Replaces half characters (lone surrogates), which can be read from JSON and never written as UTF-8."""
    if text.isascii():
        return text
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _plain(name: str) -> str:
    return name.strip().casefold().replace(" ", "_").replace("-", "_")
