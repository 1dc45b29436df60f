"""A post as it arrived over HTTP, on its way to the model, and how many of them and of its images there may be.

Too many are told of before any of them is made, which takes time and memory.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

from pydantic import BeforeValidator, ValidationInfo

from crossguard.cost import cost_of
from crossguard.data.image_sources import is_data_url
from crossguard.errors import number_of
from crossguard.records import Post, PostFailure
from crossguard.serving.errors import BodyTooLarge
from crossguard.serving.settings import ServeSettings

# Encoded bytes, or a `data:` URL. Never a path: a caller must not reach the files of the server.
EncodedImage: TypeAlias = bytes | str


@dataclass(frozen=True, slots=True)
class RemoteImage:
    """An image that lies on the web; fetched only where the operator allows its origin."""

    url: str


@dataclass(frozen=True, slots=True)
class SubmittedPost:
    """One post of a request."""

    id: str  # the caller's own name for it
    text: str = ""  # what the author wrote
    image_text: str = ""  # words read from the images
    # Its images; a post with several is decided from the highest score per label over them
    images: tuple[EncodedImage | RemoteImage, ...] = ()
    part: bool = False  # whether it is a sentence of another post of the request, and in metrics no post of its own
    named: bool = True  # whether the id is the caller's; else it is the name of an uploaded file, which may recur
    error: PostFailure | None = None  # why it cannot be read or fetched; it is not scored, and keeps its place

    @property
    def modalities(self) -> tuple[str, ...]:
        """Which of `text` and `image` it has."""
        present = {"text": bool(self.text or self.image_text), "image": bool(self.images)}
        return tuple(name for name, there in present.items() if there)

    @property
    def remote(self) -> int:
        """How many of its images lie on the web."""
        return sum(isinstance(image, RemoteImage) for image in self.images)

    def cost(self, windows: int) -> int:
        """Returns what it counts as, for the rate of its caller and in the queue; see `crossguard.cost`."""
        if self.error is not None:
            return 0
        return cost_of((self.text, self.image_text), len(self.images), windows)

    def post(self) -> Post:
        """Returns what the model scores; all images must have been fetched."""
        if self.error is not None:
            return Post(self.id, error=self.error)
        images = [image for image in self.images if not isinstance(image, RemoteImage)]
        assert len(images) == len(self.images)
        first = images[0] if images else None
        return Post(self.id, self.text, first, self.image_text, more_images=tuple(images[1:]))


def image_of(value: str) -> EncodedImage | RemoteImage:
    """Returns what a string of a request stands for: a `data:` URL, a web address, or bare base64."""
    if is_data_url(value):
        return value
    if "://" in value[:16]:
        return RemoteImage(value)
    return "data:;base64," + value


def check_posts(count: int, settings: ServeSettings) -> None:
    """Refuses too many posts in a request.

    Raises:
        BodyTooLarge: Over `max_posts`.
    """
    if count > settings.max_posts:
        told = f"A request may have {number_of(settings.max_posts, 'post')}; this one has {count}."
        raise BodyTooLarge(told, code="too_many_posts")


def check_images(count: int, settings: ServeSettings) -> None:
    """Refuses too many images in a post.

    Raises:
        BodyTooLarge: Over `max_images`.
    """
    if count > settings.max_images:
        told = f"A post may have {number_of(settings.max_images, 'image')}; one of these has {count}."
        raise BodyTooLarge(told, code="too_many_images")


def counted(check: Callable[[int, ServeSettings], None]) -> BeforeValidator:
    """Returns what counts a list of a body, by the settings that are its context, before any entry is read."""

    def count(value: Any, info: ValidationInfo) -> Any:
        if isinstance(value, list) and info.context is not None:
            check(len(value), info.context)
        return value

    return BeforeValidator(count)
