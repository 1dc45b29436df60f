"""A row of a table as a `Post`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from os import PathLike
from pathlib import Path
from typing import Any, Final

from crossguard.data.cells import as_text, holds_words
from crossguard.data.columns import MORE_WORDS, OTHER_NAMES, Columns, Source, Unread, unread
from crossguard.data.image_sources import as_image, check_inside, is_url
from crossguard.errors import PostError, TableError, suggest
from crossguard.records import ImageSource, Post

_AN_OBJECT_PER_POST: Final = (
    'An object per post is needed, such as {"text": "...", "image_path": "..."}; for other names: %s. '
    "Posts that stand inside other objects: jq -c '.posts[]' FILE > posts.jsonl. Posts by id: "
    "jq -c 'to_entries[] | {id: .key} + .value' FILE > posts.jsonl. A list of texts: jq -c '.[] | {text: .}' FILE > "
    "posts.jsonl. From pandas: frame.to_json('posts.jsonl', orient='records', lines=True)"
)
_UNREAD: Final[Mapping[Unread, str]] = {
    "words": "is not scored; join it to the text if people read both",
    "images": "is not read, so posts are scored without these images. A row holds one image, its path in "
    "image_path: give each of several a row",
    "bytes": "is not read, so posts are scored without images that it may hold. As bytes or data: URLs: {image}",
    "addresses": "is not read, so posts are scored without these images. {fetch}",
    "file": "is not read; if it names images: {image_path}",
}
_KNOWN_SHAPES: Final = 1000
# So many rows are looked at for words in columns that are not used.
LOOKED_AT: Final = 100
# From here on, floats lack whole numbers; pandas turns a column of ids with a gap into floats.
_INEXACT: Final = 2.0**53
# Of an object inside another one; at the top, these are found as columns.
_WORDS: Final = frozenset({"text", *OTHER_NAMES["text"], *MORE_WORDS})


class PostBuilder:
    """Turns rows into posts.

    Args:
        columns: Which column holds what.
        image_root: The folder that relative image paths start from.
        extra: Whether a post carries the other columns of its row.
        confined: Whether images must lie in that folder, with all links followed.

    Attributes:
        scored: Whether a table must hold something to score.
        header: The columns of the table, once it was opened; those of the first object of JSON.
        notes: What a person should know about the columns of all tables and objects, one sentence each.
    """

    scored = True

    def __init__(self, columns: Columns, image_root: Path, *, extra: bool = False, confined: bool = False) -> None:
        self.columns = columns
        self.extra = extra
        self.confined = confined
        self.header: tuple[str, ...] = ()
        self.found: dict[str, str] = {}
        self.notes: list[str] = []
        self.unread: list[str] = []  # those notes that say what posts are scored without
        self.image_root = image_root
        # By the names of a row: the objects of JSON may differ in theirs.
        self._matches: dict[tuple[str, ...], dict[str, str]] = {}
        # Of the first rows with images and without a column of text: the cells that are not used, None for no text.
        self._others: dict[str, list[str | None]] = {}
        self._looked = 0
        # Names that were asked for and no row had so far: an object of JSON may leave fields out.
        self._lacking = list(columns.renamed.values())

    def open(self, header: Iterable[str], where: str, kind: Source = "other") -> dict[str, str]:
        """Checks the columns of a whole table, and returns those that are used by what they hold."""
        names = tuple(header)
        if self.scored:
            self.columns.find(names, where, kind)
        self.note(names, where)
        for name in doubled(names):  # of annotated posts, each column may be asked for, as a label or as that of groups
            if not self.scored or name in self.found.values():
                raise TableError(f"{where} has the column '{name}' twice; rename one, as it is not clear which counts.")
        return self.found

    def check_first(self, row: Mapping[str, Any], where: str) -> None:
        """Checks a first object, which may leave empty fields out: only texts under other names are an error."""
        self.note(row, where)
        if not self.scored:
            return
        renamed = self.columns.renamed
        if renamed and row.keys().isdisjoint(renamed.values()):
            self.columns.find(row, where)
        if self._is_no_post(row):
            raise TableError(f"{where} is no post. It has: {', '.join(row)}. {self.how_in_json}")

    @property
    def how_in_json(self) -> str:
        """What JSON of posts looks like, and how other JSON becomes so."""
        return _AN_OBJECT_PER_POST % self.columns.how("NAME", "text")

    def _is_no_post(self, row: Mapping[str, Any]) -> bool:
        """Whether an object has content under other names or in objects alone, or is itself a table of columns."""
        nested = [value for value in row.values() if value and isinstance(value, list | dict)]
        if "text" in self.found and len(nested) == len(row):
            return True
        inside = {"text"} if isinstance(row.get(self.found.get("text", "")), dict) else set()
        if set(self.found) - {"id"} - inside:
            return False
        words = any(isinstance(value, str) for name, value in row.items() if name != self.columns.id)
        return words or any(_holds_posts(value, whole="id" not in self.found) for value in nested)

    def note(self, header: Iterable[str], where: str) -> None:
        """Remembers the columns, and what was found under another name."""
        self.header = tuple(header)
        self._meet(self.header)
        self.found = self.columns.match(self.header, where)
        self.tell(self.columns.notes(self.found))
        self._tell_unread(self.header, self.found)
        if self.extra:
            self.tell(f"column '{name}' stands twice; the last one is kept" for name in doubled(self.header))

    def _tell_unread(self, names: Iterable[str], found: Mapping[str, str]) -> None:
        told = notes_of_unread(names, found, self.columns)
        self.unread += [note for note in told if note not in self.unread]
        self.tell(told)

    def _meet(self, names: tuple[str, ...]) -> None:
        self._lacking = [name for name in self._lacking if name not in names]

    @property
    def missing(self) -> list[str]:
        """Which columns that were asked for by name no row has had, one sentence each; none before the first row."""
        asked = self._lacking if self.header else ()
        return [f"no post has the column '{name}', so it was not read.{suggest(name, self.header)}" for name in asked]

    @property
    def words(self) -> list[str]:
        """Which columns may be the text of posts with images, one sentence each, by the first rows that were read."""
        texts = any("text" in found for found in self._matches.values())
        return [] if texts else notes_of_words(self._others, self.found, self.columns)

    @property
    def looks_for_words(self) -> bool:
        """Whether it matters what the columns of a table hold that are not used."""
        return bool(self.header) and self._looked < LOOKED_AT and _lacks_text(self.found)

    def look(self, row: Mapping[str, Any]) -> None:
        """Remembers what one of the first rows says in columns that are not used."""
        self._looked += 1
        for name, cell in row.items():
            if name not in self.found.values():
                self._others.setdefault(name, []).append(cell if isinstance(cell, str) else None)

    def tell(self, notes: Iterable[str]) -> None:
        """Adds what a person should know, each sentence once."""
        self.notes += [note for note in notes if note not in self.notes]

    def tell_of_rounded_ids(self, name: str) -> None:
        """Says that the ids of a column are not those that somebody gave."""
        self.tell(
            [f"numbers of more than 15 digits in '{name}' were rounded, by Excel or as floats: store ids as text"]
        )

    def build(self, row: Mapping[str, Any], place: str) -> Post:
        """Returns the post of a row by column name; absent and None mean empty. `place` is its id if it has none."""
        id_ = place
        if self.looks_for_words:
            self.look(row)
        try:
            found = self._found(row)
            cells = {meaning: row.get(name) for meaning, name in found.items()}
            id_ = as_text(cells.get("id"), found.get("id", "id")) or place
            if isinstance(number := cells.get("id"), float) and number.is_integer() and abs(number) >= _INEXACT:
                self.tell_of_rounded_ids(found["id"])
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

    def _found(self, row: Mapping[str, Any]) -> dict[str, str]:
        names = tuple(row)
        if names not in self._matches:
            self._meet(names)
            try:
                found = self.columns.match(names, "The row")
            except TableError as error:
                raise PostError("field_ambiguous", str(error)) from None
            if len(self._matches) >= _KNOWN_SHAPES:
                return found
            self._matches[names] = found
            self._tell_unread(names, found)
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
        path = self.image_root / text
        if self.confined:
            check_inside(path, self.image_root)
        return str(path)


class AnyBuilder(PostBuilder):
    """Makes posts of any table: what is annotated need not hold words or images where scores come from elsewhere."""

    scored = False


def _holds_posts(value: Any, *, whole: bool) -> bool:
    """Whether an object has words of a post, or, where it is no part of one, a list or object has further ones."""
    parts = value.values() if isinstance(value, dict) else value
    words = isinstance(value, dict) and not _WORDS.isdisjoint(value)
    return words or (whole and any(isinstance(part, list | dict) for part in parts))


def doubled(names: Iterable[str]) -> list[str]:
    """Returns the names that stand more than once; columns without a name may."""
    return [name for name, count in Counter(names).items() if name and count > 1]


def notes_of_unread(names: Iterable[str], found: Mapping[str, str], columns: Columns) -> list[str]:
    """Returns what posts are scored without, a sentence for each of these columns of words and images."""
    notes = []
    for name, kind in unread(names, found):
        ways = {meaning: columns.how(name, meaning) for meaning in ("image", "image_path")}
        notes.append(f"column '{name}' {_UNREAD[kind].format(fetch=columns.how_to_fetch(name), **ways)}")
    return notes


def notes_of_words(cells: Mapping[str, Iterable[Any]], found: Mapping[str, str], columns: Columns) -> list[str]:
    """Returns a sentence for each unused column, by its cells, that may be the text of posts with images alone."""
    if not _lacks_text(found):
        return []
    told = dict(unread(cells, found))  # which have a sentence of their own
    return [
        f"column '{name}' holds words, and no column is the text; if people read them with the images: "
        f"{columns.how(name, 'text')}"
        for name, values in cells.items()
        if name not in told and holds_words(values)
    ]


def _lacks_text(found: Mapping[str, str]) -> bool:
    """Whether a table has images and no text."""
    return "text" not in found and not {"image", "image_path"}.isdisjoint(found)


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
