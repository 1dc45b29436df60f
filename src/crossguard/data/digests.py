"""Fingerprints of posts: how a run that goes on, or results that are joined, notice that a post is another one."""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path
from typing import Final

from crossguard.data.image_sources import is_url
from crossguard.records import Decision, Post

_SIZE: Final = 8
_DIGEST: Final = re.compile(f"[0-9a-f]{{{2 * _SIZE}}}")


def digest(post: Post) -> str:
    """Returns a fingerprint of what a post says and shows, by which a run that goes on notices another post.

    Of an image in a file the name counts, and not the folder, so that a run may go on from elsewhere.
    """
    found = hashlib.blake2b(digest_size=_SIZE)
    image = post.image
    if isinstance(image, str | os.PathLike):
        image = os.fspath(image)
        image = (image if is_url(image) else Path(image).name).encode("utf-8", "replace")
    for part in (post.text.encode("utf-8", "replace"), post.image_text.encode("utf-8", "replace"), image):
        content = part if isinstance(part, bytes) else b"" if part is None else str(type(part)).encode()
        found.update(len(content).to_bytes(8, "big") + content)
    return found.hexdigest()


def is_other(decision: Decision, post: Post) -> bool:
    """Whether a decision is known to be about another text than that of a post of its id.

    Of posts with an image nothing is known: a job may have had its bytes where a table has its name. Nor is anything
    where Excel took the fingerprint for a number, and rounded it.
    """
    known = decision.digest is not None and _DIGEST.fullmatch(decision.digest) is not None
    return known and post.image is None and decision.digest != digest(post)
