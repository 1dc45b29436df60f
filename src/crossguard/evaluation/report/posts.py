"""Posts as a report shows them: words masked, pictures blurred until a reader asks to see one."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass
from pathlib import Path

from crossguard.data.images import ImageLimits, decode
from crossguard.data.masking import excerpt, mask
from crossguard.errors import ImageError
from crossguard.records import ImageSource, Post

_SIZE = (320, 240)
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
    return Shown(post.id, score, mask(words), words, _thumbnail(post.image))


def _thumbnail(source: ImageSource | None) -> str:
    if source is None:
        return ""
    try:
        frame = decode(source, ImageLimits(), base=Path.cwd(), frames=1)[0]
    except ImageError:
        return ""
    frame.thumbnail(_SIZE)
    buffer = io.BytesIO()
    frame.save(buffer, "JPEG", quality=75)
    return f"data:image/jpeg;base64,{base64.b64encode(buffer.getvalue()).decode()}"
