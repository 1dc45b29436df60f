"""A post as it arrives: what it may hold, the decision in it, and its images as reviewers get them."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

from pydantic import Field, field_validator

from crossguard.checked_settings import StrictModel
from crossguard.data.image_sources import is_data_url, is_url
from crossguard.data.images import decode, to_jpeg
from crossguard.errors import ImageError, InputError
from crossguard.records import Decision

IMAGE_SIZE: Final = (1280, 1280)
FRAMES: Final = 4
LATEST: Final = 253_402_300_799.0
"""The end of the year 9999, in seconds since 1970: what is greater counts milliseconds or less."""
MISSING: Final = "missing:"
"""Begins what stands in for an image that a file names and that could not be read."""


class Sent(StrictModel):
    """What comes from outside, its texts without NUL, which PostgreSQL holds none of."""

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
    source: str = Field(default="api", pattern=r"^[\w.:-]{1,64}$", description="Where the post comes from.")
    text: str = Field(default="", max_length=100_000, description="What the author wrote.")
    image_text: str = Field(default="", max_length=100_000, description="Words read from the image.")
    images: tuple[str, ...] = Field(default=(), max_length=16, description="Images as data: URLs.")
    author: str | None = Field(default=None, max_length=256, description="The source's key of the author.")
    language: str | None = Field(default=None, max_length=16, description="Language of the text, such as en.")
    posted_at: float | None = Field(
        default=None, ge=0, le=LATEST, description="When it was posted, in seconds since 1970."
    )
    queue: str | None = Field(default=None, description="Queue; by the kind of the item when not given.")
    decision: dict[str, Any] | None = Field(default=None, description="The record that scoring wrote.")
    report: Report | None = Field(default=None, description="A person's report, if that is why the post is sent.")
    suggestion: Suggestion | None = Field(default=None, description="What somebody outside says the scores should be.")
    expected: Expected | None = Field(default=None, description="The known answer, which makes it a golden item.")

    @field_validator("images")
    @classmethod
    def _no_paths(cls, images: tuple[str, ...]) -> tuple[str, ...]:
        """A path would make the console read and score a file of its own machine for whoever holds a key."""
        if all(is_data_url(image) or is_url(image) or image.startswith(MISSING) for image in images):
            return images
        raise ValueError("an image is a data: URL")


class Report(Sent):
    """What a person reported."""

    reporter: str = Field(min_length=1, max_length=256)
    reason: str = Field(default="", max_length=2000)


class Suggestion(Sent):
    """What somebody outside says the scores should be; kept as a vote that decides nothing."""

    by: str = Field(min_length=1, max_length=256)
    scores: dict[str, Annotated[float, Field(ge=0, le=1)]] = Field(min_length=1, max_length=32)


class Expected(Sent):
    """The known answer of a golden item."""

    action: str
    labels: dict[str, Literal["yes", "no"]] = Field(default_factory=dict)


def decision_of(record: dict[str, Any] | None, id_: str) -> Decision | None:
    """Returns the decision in a record of scoring; None where there is none, or the post could not be scored.

    Raises:
        InputError: The record is not one of ours.
    """
    if record is None:
        return None
    try:
        outcome = Decision.from_dict(record)
    except (KeyError, TypeError, ValueError, AttributeError):
        raise InputError(f"Post '{id_}': its decision is not a record as `crossguard score` writes it.") from None
    return outcome if outcome.ok else None


def as_jpeg(source: str) -> list[tuple[bytes | None, str]]:
    """Returns the frames of an image as JPEG files of our own making, or why there are none.

    Reviewers' browsers get only these, so nothing that a stranger encoded reaches them.
    """
    if source.startswith(MISSING):
        return [(None, source.removeprefix(MISSING))]
    if not source.startswith("data:"):
        return [(None, "The image was sent as a link, which is not followed. Send it as a data: URL.")]
    try:
        frames = decode(source, frames=FRAMES)
    except ImageError as error:
        return [(None, str(error))]
    return [(to_jpeg(frame, IMAGE_SIZE, 85), "") for frame in frames]
