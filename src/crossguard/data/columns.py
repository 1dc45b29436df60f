"""Which columns of a table hold what."""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from shlex import quote
from typing import ClassVar, Final, Literal, TypeAlias

from crossguard.errors import TableError, suggest

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
# The words of a post, as single programs call them: its text where it has none of the names above.
BODIES: Final = (
    *("post_content", "post_body", "comment_body", "comment_content", "message_body", "message_content"),
    *("reply_text", "full_text", "raw"),
)
# The same words as a page shows them, often beside the others.
_AS_HTML: Final = ("cooked", "content_html", "body_html", "post_html", "comment_html")
# What stands above or beside the words of a post.
TITLES: Final = ("title", "post_title", "subject", "headline", "description", "spoiler_text", "alt_text")
# Words that people read with a post: its text where there is no other.
MORE_WORDS: Final = ("selftext", "caption", *TITLES)
# Addresses in the web, which are fetched only by a job, and only where it is told to.
ADDRESSES: Final = frozenset({"image_url", "img_url", "photo_url", "picture_url", "media_url"})
Source: TypeAlias = Literal["lines", "sheet", "other"]
"""Where a header stands: in the first line of a text file, in the first row of a sheet, or in none of both."""
_SHEET: Final = " The first row must name the columns: delete the rows above it."
Unread: TypeAlias = Literal["words", "images", "bytes", "addresses", "file"]
"""What a column that is not used may hold: words, images, encoded ones, an address of one each, a name of any file."""
_UNREAD: Final[Mapping[str, Unread]] = {
    **dict.fromkeys((*MORE_WORDS, *OTHER_NAMES["image_text"]), "words"),
    # `raw` may be whatever something was made of.
    **dict.fromkeys((name for name in BODIES if name != "raw"), "words"),
    **dict.fromkeys(("body", "content", "transcript", "meme_text", "extended_tweet"), "words"),
    **dict.fromkeys(("images", "image_paths", "image_urls", "photos", "pictures", "media", "media_urls"), "images"),
    **dict.fromkeys(("attachments", "media_attachments", "extended_entities"), "images"),
    **dict.fromkeys(("file", "filename", "file_name", "filepath", "file_path", "path"), "file"),
}
_LIKE_OURS: Final[Mapping[str, Unread]] = {
    **dict.fromkeys(("text", "image_text"), "words"),
    **dict.fromkeys(("image", "image_path"), "images"),
}
# How like the name of a column of ours another one is that is told: `imagetext`, `imge_path`, `texts`.
_LIKE: Final = 0.85
_IMAGE: Final = r"(?:image|img|photo|picture|media|meme)_?"
_BY_NAME: Final[Mapping[Unread, re.Pattern[str]]] = {
    "bytes": re.compile(rf"{_IMAGE}(base64|b64|bytes|data)|jpe?g|png"),
    "addresses": re.compile(rf"{_IMAGE}(url|uri|link)"),
    "file": re.compile(rf"{_IMAGE}(name|path|file|filename|file_name|file_path)|meme"),
}
# Between the words of `imageUrl`.
_HUMP: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_FURTHER_IMAGE: Final = re.compile(r"more_images|(image|img|photo|picture)(_path|_file|_url)?_?\d")


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
    # As pydantic calls it: of the settings of a job, a meaning that there is not is an error.
    __pydantic_config__: ClassVar = {"extra": "forbid"}

    @property
    def renamed(self) -> dict[str, str]:
        """The names that the caller chose, by what they hold."""
        chosen = {meaning: getattr(self, meaning) for meaning in OTHER_NAMES}
        return {meaning: name for meaning, name in chosen.items() if name != meaning}

    @property
    def content(self) -> tuple[str, ...]:
        """The columns of which a table needs at least one."""
        return (self.text, self.image_path, self.image_text, self.image)

    def how(self, name: str, *meanings: str) -> str:
        """Returns how people say that the column `name` holds one of these; the subclasses know other ways."""
        options = [f"--{meaning.replace('_', '-')}-column {quote(name)}" for meaning in meanings]
        return " or ".join(options)

    def how_to_fetch(self, name: str) -> str:
        """Returns how the images are read whose addresses the column `name` holds."""
        return f"To fetch them: crossguard score -o FOLDER/ {self.how(name, 'image_path')} --fetch-origin https://HOST"

    @property
    def how_to_read_lines(self) -> str:
        """How people say that each line of a file is a post, where they can."""
        return " If each line is a text: --input-format txt."

    def find(self, header: Iterable[str], where: str, kind: Source = "other") -> dict[str, str]:
        """Returns the column of each meaning that a table has.

        Raises:
            TableError: A renamed column is missing, or it is not clear what can be scored.
        """
        present = list(header)
        for meaning, name in self.renamed.items():
            if name not in present:
                raise TableError(f"{where} has no column '{name}' for {meaning}.{suggest(name, present)}")
        found = self.match(present, where)
        if not set(found) - {"id"}:
            names = [name for name in present if name]
            hint = _SHEET if kind == "sheet" else ""
            if kind == "lines":
                hint = self.how_to_read_lines if len(names) <= 1 else ""
                if any(name.isdigit() or name.count(" ") > 1 for name in names):
                    hint += " Is the first line a post? Then add a line above it that names the columns."
            raise TableError(
                f"{where} has none of the columns {', '.join(self.content)}. It has: {', '.join(names) or 'none'}. "
                f"To read one: {self.how('NAME', 'text', 'image_path', 'image')}.{hint}"
            )
        return found

    def match(self, present: Iterable[str], where: str) -> dict[str, str]:
        """Returns the column of each meaning among these names; meanings without one are absent."""
        names = list(dict.fromkeys(present))
        found: dict[str, str] = {}
        for meaning in OTHER_NAMES:
            wanted = getattr(self, meaning)
            if wanted in names:
                found[meaning] = wanted
            elif wanted == meaning:
                found |= self._other_name(meaning, names, where)
        # `comment_id` of `comment_text`, where there is a `post_id`, too.
        own = f"{plain_name(found['text']).partition('_')[0]}_id" if "text" in found else ""
        ids = [name for name in self._could_be_id(names, found) if plain_name(name) == own]
        return found | ({"id": ids[0]} if len(ids) == 1 else {})

    def _could_be_id(self, names: Iterable[str], found: Mapping[str, str]) -> list[str]:
        """Returns the columns among which the id was not found."""
        known = {"id", *OTHER_NAMES["id"]} if "id" not in found else ()
        return [name for name in names if plain_name(name) in known]

    def note_of_ids(self, names: Iterable[str], found: Mapping[str, str]) -> list[str]:
        """Returns a sentence where several columns could be the id, and so none is."""
        ids = self._could_be_id(names, found)
        if len(ids) < 2:  # noqa: PLR2004 - none or one
            return []
        told = "', '".join(ids)
        return [f"columns '{told}' could each be the id, so none is; to choose one: {self.how(ids[0], 'id')}"]

    def _other_name(self, meaning: str, names: list[str], where: str) -> dict[str, str]:
        last: dict[str, tuple[Collection[str], ...]] = {
            "text": (BODIES, _AS_HTML, MORE_WORDS),
            "image_path": (ADDRESSES if self.addresses else (),),
        }
        for known in ((meaning,), OTHER_NAMES[meaning], *last.get(meaning, ())):
            close = [name for name in names if plain_name(name) in known]
            if len(close) == 1:
                return {meaning: close[0]}
            if len(close) > 1 and meaning == "text":
                raise TableError(
                    f"{where} has several columns that could be the text: {', '.join(close)}. "
                    f"Say which one: {self.how(close[0], 'text')}. To score several, join them first."
                )
        return {}

    def title(self, found: Mapping[str, str]) -> str | None:
        """Returns the column of titles that is the text only because there is no other; None where there is none."""
        name = found.get("text", self.text)
        return name if name != self.text and plain_name(name) in TITLES else None

    def notes(self, found: Mapping[str, str]) -> list[str]:
        """Returns one sentence per column that was found under another name than the caller said."""
        return [
            f"column '{name}' is read as {meaning}; another one: {self.how('NAME', meaning)}"
            for meaning, name in found.items()
            if name != getattr(self, meaning)
        ]


class ColumnsInPython(Columns):
    """Columns that people name by the argument `columns`."""

    __slots__ = ()

    def how_to_fetch(self, name: str) -> str:
        """Returns the call."""
        return f"To fetch them: crossguard.score_files(..., {self.how(name, 'image_path')}, fetch_origins=[...])"

    def how(self, name: str, *meanings: str) -> str:
        """Returns the argument."""
        ways = [f'columns={{"{meaning}": "{name}"}}' for meaning in meanings]
        return " or ".join(ways)

    @property
    def how_to_read_lines(self) -> str:
        """Only by the name of the file."""
        return " If each line is a text, call the file .txt."


class OwnColumns(Columns):
    """Columns of tables that people change themselves: nothing else says what one holds."""

    __slots__ = ()

    def how_to_fetch(self, name: str) -> str:  # noqa: ARG002 - as the others
        """Returns what to do instead."""
        return "They are not fetched here: write each to a file, and name it in a column image_path"

    def how(self, name: str, *meanings: str) -> str:  # noqa: ARG002 - as the others
        """Returns what to call it."""
        names = [f"'{meaning}'" for meaning in meanings]
        return f"rename it to {' or '.join(names)}"

    @property
    def how_to_read_lines(self) -> str:
        """There is more than a text in such a table."""
        return ""


def unread(names: Iterable[str], found: Mapping[str, str]) -> list[tuple[str, Unread]]:
    """Returns the columns that may hold a part of a post and are not used; beside an image, only further ones."""
    has_image = not {"image", "image_path"}.isdisjoint(found)
    told: list[tuple[str, Unread]] = []
    for name in names:
        plain = plain_name(name)
        kind = None if name in found.values() else _unread(plain) or _unread(plain_name(_HUMP.sub("_", name)))
        if kind is not None and (kind == "words" or not has_image or _FURTHER_IMAGE.fullmatch(plain)):
            told.append((name, kind))
    return told


@lru_cache(4096)
def _unread(plain: str) -> Unread | None:
    if _FURTHER_IMAGE.fullmatch(plain):
        return "images"
    close = [] if plain in OTHER_NAMES else difflib.get_close_matches(plain, _LIKE_OURS, n=1, cutoff=_LIKE)
    by_name = (kind for kind, names in _BY_NAME.items() if names.fullmatch(plain))
    return _UNREAD.get(plain) or (_LIKE_OURS[close[0]] if close else next(by_name, None))


def plain_name(name: str) -> str:
    """Returns the name of a column as names are compared: `Image Text` is `image_text`."""
    return name.strip().casefold().replace(" ", "_").replace("-", "_")
