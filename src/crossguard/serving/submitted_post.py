"""A post as it arrived over HTTP, on its way to the model."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TypeAlias

from crossguard.data.image_sources import is_data_url
from crossguard.moderator import Moderator
from crossguard.preprocessing.batch import Prepared
from crossguard.records import Post

# Encoded bytes, or a `data:` URL. Never a path: a caller must not reach the files of the server.
EncodedImage: TypeAlias = bytes | str


@dataclass(frozen=True, slots=True)
class RemoteImage:
    """An image that lies on the web; fetched only where the operator allows its origin."""

    url: str


@dataclass(frozen=True, slots=True)
class SubmittedPost:
    """One post of a request.

    Attributes:
        id: The caller's own name for it.
        text: What the author wrote.
        image_text: Words read from the images.
        images: Its images; a post with several is decided from the highest score per label over them.
    """

    id: str
    text: str = ""
    image_text: str = ""
    images: tuple[EncodedImage | RemoteImage, ...] = ()

    @property
    def modalities(self) -> tuple[str, ...]:
        """Which of `text` and `image` it has."""
        present = {"text": bool(self.text or self.image_text), "image": bool(self.images)}
        return tuple(name for name, there in present.items() if there)


def image_of(value: str) -> EncodedImage | RemoteImage:
    """Returns what a string of a request stands for: a `data:` URL, a web address, or bare base64."""
    if is_data_url(value):
        return value
    if "://" in value[:16]:
        return RemoteImage(value)
    return "data:;base64," + value


def posts_of(submission: SubmittedPost) -> list[Post]:
    """Returns a post for each image; only the first has the text, which is tokenised once.

    All images must have been fetched.
    """
    sources: list[EncodedImage | None] = [image for image in submission.images if not isinstance(image, RemoteImage)]
    assert len(sources) == len(submission.images)
    first, *others = sources or [None]
    posts = [Post(submission.id, submission.text, first, submission.image_text)]
    return posts + [Post(submission.id, image=source) for source in others]


def is_costly(moderator: Moderator, submission: SubmittedPost) -> bool:
    """Whether decoding the images may take seconds, as far as their headers tell."""
    return any(moderator.is_costly(post) for post in posts_of(submission))


def prepare(moderator: Moderator, submission: SubmittedPost) -> Prepared:
    """Tokenises the text and decodes the images of a post whose images have all been fetched.

    Raises:
        PostError: The post cannot be scored.
    """
    parts = [moderator.prepare(post) for post in posts_of(submission)]
    notes = tuple(dict.fromkeys(note for part in parts for note in part.notes))
    return replace(parts[0], frames=tuple(frame for part in parts for frame in part.frames), notes=notes)
