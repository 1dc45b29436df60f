"""How many posts and images a request may have: told before any of them is made, which takes time and memory."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pydantic import BeforeValidator, ValidationInfo

from crossguard.errors import number_of
from crossguard.serving.errors import BodyTooLarge
from crossguard.serving.settings import ServeSettings


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
