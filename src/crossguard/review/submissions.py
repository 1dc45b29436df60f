"""A post as it arrives: what it may hold, the decision in it, and its images as reviewers get them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

from pydantic import (
    Field,
    JsonValue,
    StringConstraints,
    TypeAdapter,
    ValidationError,
    field_validator,
    model_validator,
)

from crossguard.checked_settings import UNKNOWN, StrictModel
from crossguard.data.image_sources import is_data_url, is_url
from crossguard.data.images import decode, to_jpeg
from crossguard.errors import ImageError, InputError
from crossguard.records import Decision
from crossguard.schema import DecisionRecord
from crossguard.wire import MISSING, SOURCE

if TYPE_CHECKING:
    from PIL.Image import Image

SHORTER_SIDE: Final = 1080
"""Most pixels of it that are kept: a phone's screenshot stays as it is, and words in one of a long chat can be read."""
LONGER_SIDE: Final = 8192
FRAMES: Final = 4
LATEST: Final = 253_402_300_799.0
"""The end of the year 9999, in seconds since 1970: what is greater counts milliseconds or less."""
_STORABLE: Final = TypeAdapter(dict[str, JsonValue])


class Sent(StrictModel):
    """What comes from outside, its texts without NUL, which PostgreSQL holds none of.

    Each text has a bound on its length: half of a surrogate pair, which no page could show, is refused when its
    characters are counted.
    """

    @field_validator("*", mode="before")
    @classmethod
    def _without_nul(cls, value: object) -> object:
        return without_nul(value) if isinstance(value, str) else value


def without_nul(text: str) -> str:
    """Returns a text as a database can hold it."""
    return text.replace("\0", "")


class Submission(Sent):
    """One post as it arrives, over HTTP or from a file."""

    id: str = Field(min_length=1, max_length=500, description="The source's own id of the post.")
    source: str = Field(default="api", pattern=SOURCE, description="Where the post comes from.")
    text: str = Field(default="", max_length=100_000, description="What the author wrote.")
    image_text: str = Field(default="", max_length=100_000, description="Words read from the image.")
    images: tuple[Annotated[str, Field(min_length=1)], ...] = Field(
        default=(), max_length=16, description="Images as data: URLs."
    )
    author: str | None = Field(default=None, max_length=256, description="The source's key of the author.")
    language: str | None = Field(default=None, max_length=16, description="Language of the text, such as en.")
    posted_at: float | None = Field(
        default=None, ge=0, le=LATEST, description="When it was posted, in seconds since 1970."
    )
    queue: str | None = Field(
        default=None, max_length=64, description="Queue that its item waits in; main when not given."
    )
    decision: dict[str, Any] | None = Field(default=None, description="The record that scoring wrote.")
    report: Report | None = Field(default=None, description="A person's report, if that is why the post is sent.")
    suggestion: Suggestion | None = Field(default=None, description="What somebody outside says the scores should be.")
    expected: Expected | None = Field(default=None, description="The known answer, which makes it a golden item.")

    @field_validator("author")
    @classmethod
    def _somebody(cls, author: str | None) -> str | None:
        """Posts of nobody are not by one author; blanks around a key could not be typed where it is looked up."""
        return (author or "").strip() or None

    @model_validator(mode="after")
    def _one_person(self) -> Submission:
        if self.report is not None and self.suggestion is not None:
            raise ValueError("a post is sent with a report or with a suggestion: send it twice, once with each")
        return self

    @field_validator("images")
    @classmethod
    def _no_paths(cls, images: tuple[str, ...]) -> tuple[str, ...]:
        """A path would make the console read and score a file of its own machine for whoever holds a key."""
        if all(is_data_url(image) or is_url(image) or image.startswith(MISSING) for image in images):
            return images
        raise ValueError("an image is a data: URL")


class Report(Sent):
    """What a person reported."""

    # As of an author: blanks around a key could not be typed where it is looked up.
    reporter: Annotated[str, StringConstraints(strip_whitespace=True)] = Field(min_length=1, max_length=256)
    reason: str = Field(default="", max_length=2000)


class Suggestion(Sent):
    """What somebody outside says the scores should be; kept as a vote that decides nothing."""

    by: str = Field(min_length=1, max_length=256)
    scores: dict[Annotated[str, Field(max_length=256)], Annotated[float, Field(ge=0, le=1)]] = Field(
        min_length=1, max_length=32
    )


class Expected(Sent):
    """The known answer of a golden item."""

    action: str = Field(max_length=64)
    labels: dict[Annotated[str, Field(max_length=64)], Literal["yes", "no"]] = Field(default_factory=dict)


def decision_of(record: dict[str, Any] | None, id_: str) -> Decision | None:
    """Returns the decision in a record of scoring; None where there is none, or the post could not be scored.

    Raises:
        InputError: The record lacks what the pages show and count, or holds what not both databases can store; the
            message names the first key that is wrong.
    """
    if record is None:
        return None
    problem = _wrong_value(record) or _missing_score(record) or _unstorable(record)
    if problem:
        raise InputError(f"Post '{id_}': its decision is not a record as `crossguard score` writes it: {problem}.")
    outcome = Decision.from_dict(record)
    return outcome if outcome.ok else None


def _wrong_value(record: dict[str, Any]) -> str:
    try:
        DecisionRecord.model_validate(record, strict=True)
    except ValidationError as error:
        # A later version of the service may write more keys than this one knows.
        wrong = next((found for found in error.errors() if found["type"] != UNKNOWN), None)
        return f"{'.'.join(map(str, wrong['loc']))!r}: {wrong['msg']}" if wrong else ""
    return ""


def _missing_score(record: dict[str, Any]) -> str:
    missing = [key for key in ("labels", "action", "modality_weights") if not record[key]]
    return f"'{missing[0]}' is empty, and 'error' does not say why" if missing and record["error"] is None else ""


def _unstorable(record: dict[str, Any]) -> str:
    kept = {key: value for key, value in record.items() if key != "input"}  # which the console does not keep
    try:
        _STORABLE.validate_python(kept)  # first, as it goes no deeper than the database's writer
        json.dumps(kept, ensure_ascii=False, allow_nan=False).encode()
    except UnicodeEncodeError:
        return "it has half of a surrogate pair, such as '\\ud83d', which is no character"
    except ValueError:
        return "it has a number that is not finite, or hundreds of lists inside each other"
    return ""


def as_jpeg(source: str) -> list[tuple[bytes | None, str]]:
    """Returns the frames of an image as JPEG files of our own making, or why there are none.

    Reviewers' browsers get only these, so nothing that a stranger encoded reaches them.
    """
    if source.startswith(MISSING):
        return [(None, source.removeprefix(MISSING))]
    if not is_data_url(source):
        return [(None, "The image was sent as a link, which is not followed. Send it as a data: URL.")]
    try:
        frames = decode(source, size_hint=SHORTER_SIDE, frames=FRAMES)
    except ImageError as error:
        return [(None, str(error))]
    return [(to_jpeg(frame, _bounds(frame), 85), "") for frame in frames]


def _bounds(frame: Image) -> tuple[int, int]:
    return (SHORTER_SIDE, LONGER_SIDE) if frame.width < frame.height else (LONGER_SIDE, SHORTER_SIDE)
