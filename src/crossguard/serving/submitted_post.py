"""What the images of a post are as they arrive over HTTP, and how many of them and of posts there may be.

Too many are told of before any of them is made, which takes time and memory.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeGuard

from pydantic import BeforeValidator, ValidationInfo

from crossguard.data.image_sources import is_data_url
from crossguard.errors import number_of
from crossguard.serving.errors import BodyTooLarge
from crossguard.serving.settings import ServeSettings


def image_of(value: str) -> str:
    """Returns the image that a string of a request stands for: a `data:` URL, a web address, or bare base64."""
    return value if is_data_url(value) or "://" in value[:16] else "data:;base64," + value


def is_remote(image: object) -> TypeGuard[str]:
    """Whether an image must be fetched first: every string but a `data:` URL.

    None is ever taken for a path: a caller must not reach the files of the server.
    """
    return isinstance(image, str) and not is_data_url(image)


def check_posts(count: int, settings: ServeSettings, *, so_far: bool = False) -> None:
    """Raises BodyTooLarge where a request has more posts than `max_posts`; `so_far` says that others may follow."""
    if count > settings.max_posts:
        told = f"A request may have {number_of(settings.max_posts, 'post')}; this one has {_at_least(so_far)}{count}."
        raise BodyTooLarge(told, code="too_many_posts")


def check_images(count: int, settings: ServeSettings, *, so_far: bool = False) -> None:
    """Raises BodyTooLarge where a post has more images than `max_images`; `so_far` says that others may follow."""
    if count > settings.max_images:
        told = (
            f"A post may have {number_of(settings.max_images, 'image')}; one of these has {_at_least(so_far)}{count}."
        )
        raise BodyTooLarge(told, code="too_many_images")


def _at_least(so_far: bool) -> str:
    return "at least " if so_far else ""


def counted(check: Callable[[int, ServeSettings], None]) -> BeforeValidator:
    """Returns what counts a list of a body, by the settings that are its context, before any entry is read."""

    def count(value: Any, info: ValidationInfo) -> Any:
        if isinstance(value, list) and info.context is not None:
            check(len(value), info.context)
        return value

    return BeforeValidator(count)
