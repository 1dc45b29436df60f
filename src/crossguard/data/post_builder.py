"""A row of a table as a `Post`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import islice
from os import PathLike
from pathlib import Path
from shlex import quote
from typing import Any, Final

from crossguard.data.cells import as_text, holds_words, joined_parts, longest_inside
from crossguard.data.columns import BODIES, MORE_WORDS, OTHER_NAMES, TITLES, Columns, Source, Unread, plain_name, unread
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
_WORDS: Final = frozenset({"text", *OTHER_NAMES["text"], *BODIES, *MORE_WORDS})
# Of an object inside a post that has only a title at the top; not who wrote it, of whom there may be words, too.
_BODY: Final = _WORDS - set(TITLES)
_PEOPLE: Final = frozenset({"author", "user", "account", "owner", "creator", "from", "profile"})
_DEEPEST: Final = 4
# The column of YouTube's comments in Google Takeout.
_OF_TAKEOUT: Final = "comment_text"
_FIRST_PARTS: Final = 100


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
        # Of the first rows that have images or a title alone: the cells that are not used, None for no text, and a
        # list with the longest text for what holds texts.
        self._others: dict[str, list[str | list[str] | None]] = {}
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
        if (inside := self._beside_a_title(row, self.found)) is not None:
            raise TableError(f"{where} {inside.told} {inside.how_to_score}")

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
        self.found = self.columns.match(self._names(header) if isinstance(header, Mapping) else self.header, where)
        self.tell(self.columns.notes(self.found) + self.columns.note_of_ids(self.header, self.found))
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
        """Which columns may be the text of posts with images or titles alone, by the first rows; one sentence each."""
        shapes = self._matches.values()
        titled = next((found for found in shapes if self.columns.title(found)), None)
        texts = titled is None and any("text" in found for found in shapes)
        return [] if texts else notes_of_words(self._others, titled or self.found, self.columns)

    @property
    def looks_for_words(self) -> bool:
        """Whether it matters what the columns of a table hold that are not used."""
        return self._looks_beside(self.found)

    def _looks_beside(self, found: Mapping[str, str]) -> bool:
        return bool(self.header) and self._looked < LOOKED_AT and _lacks_text(found, self.columns)

    def look(self, row: Mapping[str, Any], found: Mapping[str, str]) -> None:
        """Remembers what one of the first rows says in columns that are not used."""
        self._looked += 1
        for name, cell in row.items():
            if name not in found.values():
                short = [longest_inside(cell)] if isinstance(cell, list | Mapping) else cell
                self._others.setdefault(name, []).append(short if isinstance(short, str | list) else None)

    def _beside_a_title(self, row: Mapping[str, Any], found: Mapping[str, str]) -> _Inside | None:
        """Returns where a row has words in a list or object while the only text that it shows at the top is a title."""
        title = self.columns.title(found) if self.scored else None
        if title is None:
            return None
        for name, cell in row.items():
            if name not in found.values() and (key := _key_of_words(name, cell)):
                return _Inside(title, name, key, self.columns.how(title, "text"))
        return None

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
        try:
            found = self._found(row)
            if self._looks_beside(found):
                self.look(row, found)
            self._refuse_words_inside(row, found)
            cells = {meaning: row.get(name) for meaning, name in found.items()}
            id_ = as_text(cells.get("id"), found.get("id", "id")) or place
            if isinstance(number := cells.get("id"), float) and number.is_integer() and abs(number) >= _INEXACT:
                self.tell_of_rounded_ids(found["id"])
            text = self._text(cells.get("text"), found.get("text", "text"))
            image_text = as_text(cells.get("image_text"), found.get("image_text", "image_text"))
            image = self._image(cells.get("image"), "image")
            if image is None:
                image = self._image(cells.get("image_path"), "image_path")
        except PostError as error:
            return Post.failed(id_, error.code, f"{place}: {error}")
        used = set(found.values())
        extra = {name: cell for name, cell in row.items() if name not in used} if self.extra else {}
        return Post(id_, text, image, image_text, extra)

    def _text(self, value: Any, column: str) -> str:
        text = as_text(value, column)
        parts = joined_parts(text) if plain_name(column) == _OF_TAKEOUT else None
        if parts is None:
            return text
        self.tell([f"the JSON in '{column}' is scored as the text that it holds"])
        return parts

    def _names(self, row: Mapping[str, Any]) -> tuple[str, ...]:
        """Returns the fields that may hold a post; a `raw` that is no text is what the others were made of."""
        if isinstance(row.get("raw"), list | dict) and "raw" not in self.columns.renamed.values():
            return tuple(name for name in row if name != "raw")
        return tuple(row)

    def _found(self, row: Mapping[str, Any]) -> dict[str, str]:
        names = self._names(row)
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

    def _refuse_words_inside(self, row: Mapping[str, Any], found: Mapping[str, str]) -> None:
        if (inside := self._beside_a_title(row, found)) is not None:
            raise PostError("field_ambiguous", f"The post {inside.told}")

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


@dataclass(frozen=True, slots=True)
class _Inside:
    """Where the words of a post stand that has only a title at the top: the column, and the name inside it."""

    title: str
    column: str
    key: str
    how: str

    @property
    def told(self) -> str:
        """What is wrong, and how to score the titles."""
        return (
            f"has words in '{self.column}', under '{self.key}', and beside it only '{self.title}', which would be "
            f"scored without them. To score it all the same: {self.how}."
        )

    @property
    def how_to_score(self) -> str:
        """How the words become posts, wherever they stand in the objects of a file."""
        select = quote(f'.. | objects | select(."{self.key}" | strings)')
        return f"To score these words: jq -c {select} FILE > posts.jsonl"


def _key_of_words(name: Any, value: Any, depth: int = _DEEPEST) -> str | None:
    """Returns the name under which an object or list has words of a post; None where it has none, or a single word."""
    if depth == 0 or not isinstance(value, list | dict) or str(name) in _PEOPLE:
        return None
    named: Iterable[tuple[Any, Any]] = value.items() if isinstance(value, dict) else ((name, part) for part in value)
    for key, part in islice(named, _FIRST_PARTS):
        if isinstance(part, str) and isinstance(value, dict) and " " in part.strip() and plain_name(str(key)) in _BODY:
            return str(key)
        if (found := _key_of_words(key, part, depth - 1)) is not None:
            return found
    return None


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
    """Returns a sentence for each unused column, by its cells, that may be the text of posts with images or titles."""
    if not _lacks_text(found, columns):
        return []
    title = columns.title(found)
    told = dict(unread(cells, found))  # which have a sentence of their own
    notes = []
    for name, values in cells.items():
        texts = list(values)
        if name in told:
            continue
        if holds_words(texts):
            why = "no column is the text; if people read them with the images"
            instead = f"'{title}' alone is scored as the text; if these are the text"
            notes.append(f"column '{name}' holds words, and {instead if title else why}: {columns.how(name, 'text')}")
        elif title and name not in _PEOPLE and holds_words(map(longest_inside, filter(None, texts))):
            notes.append(
                f"column '{name}' holds words inside lists or objects, and '{title}' alone is scored; if these are the "
                "text, write them to a column of texts"
            )
    return notes


def _lacks_text(found: Mapping[str, str], columns: Columns) -> bool:
    """Whether a table has images and no text, or no text but titles."""
    return columns.title(found) is not None or ("text" not in found and not {"image", "image_path"}.isdisjoint(found))


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
