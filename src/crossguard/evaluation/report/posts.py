"""Posts as a report shows them: words masked, pictures blurred until a reader asks to see one."""

from __future__ import annotations

from dataclasses import dataclass

from crossguard.data.images import thumbnail
from crossguard.data.masking import excerpt, mask
from crossguard.errors import ImageError
from crossguard.records import ImageSource, Post

_LONGEST = 280


@dataclass(frozen=True, slots=True)
class Shown:
    """One post of a report.

    Attributes:
        id: Its name.
        score: In [0, 1].
        masked: Its words with telling ones hidden.
        words: Its words.
        picture: A `data:` URL of a small JPEG, or empty.
    """

    id: str
    score: float
    masked: str
    words: str
    picture: str


def show(post: Post, score: float) -> Shown:
    """Prepares a post for a report."""
    words = excerpt(" / ".join(part for part in (post.text, post.image_text) if part), _LONGEST)
    return Shown(post.id, score, mask(words), words, _picture(post.image))


def _picture(source: ImageSource | None) -> str:
    if source is None:
        return ""
    try:
        return thumbnail(source)
    except ImageError:
        return ""
