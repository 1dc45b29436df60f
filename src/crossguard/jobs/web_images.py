"""Images that posts name by their address in the web, fetched only from the origins that were listed.

The fetcher is that of the service: it checks the address that is connected to, and follows no redirects.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Final

from crossguard.data.ahead import in_order
from crossguard.data.image_limits import ImageLimits
from crossguard.data.image_sources import is_data_url, is_url
from crossguard.errors import ImageError, PostError, needs_extra
from crossguard.records import Decision, Post, PostFailure

LATER: Final = "image_retry_later"
_AT_ONCE: Final = 16
_TIMEOUT_S: Final = 10.0
_PAUSES: Final = (0.0, 1.0)
# An origin that failed so often in a row is left alone for the rest of the unit: a unit must not take hours of waiting.
_MOST_FAILURES: Final = 20
_GONE: Final = frozenset({404, 410})
_BUSY: Final = frozenset({408, 425, 429})
_SERVER_ERROR: Final = 500


def is_later(decision: Decision) -> bool:
    """Whether a post waits for its image, so that a later run should try again."""
    return decision.error is not None and decision.error.code == LATER


class WebImages:
    """Fetches images from origins such as `https://media.example.com`; `private` ones may be loopback addresses.

    Raises:
        ConfigError: An origin is not one.
        MissingExtraError: The fetcher of the service is not installed.
    """

    def __init__(self, origins: Sequence[str], *, private: bool) -> None:
        with needs_extra("Fetching images", "serve"):
            from crossguard.serving.bodies import BodyBudget
            from crossguard.serving.fetching import Fetcher
        most = ImageLimits().max_bytes
        self._budget = BodyBudget(most * _AT_ONCE)
        self._fetcher = Fetcher(origins, private=private, timeout_s=_TIMEOUT_S, max_bytes=most, per_minute=0)
        self._loop = asyncio.new_event_loop()
        threading.Thread(target=self._loop.run_forever, daemon=True).start()
        self._failures = Counter[str]()

    def fill(self, posts: Iterator[Post]) -> Iterator[Post]:
        """Yields the posts with the bytes of their images, in order; failed ones where there are none."""
        self._failures.clear()
        return in_order(self._filled, posts, _AT_ONCE)

    def _filled(self, post: Post) -> Post:
        url = post.image
        if not isinstance(url, str) or is_data_url(url) or not is_url(url):
            return post
        try:
            return replace(post, image=self._patiently(url))
        except PostError as error:
            return replace(post, image=None, error=PostFailure.of(error))

    def _patiently(self, url: str) -> bytes:
        """Returns the bytes of an image; asks again where the server did not answer properly."""
        origin = url.partition("://")[2].partition("/")[0]  # the fetcher refuses what is no URL
        error = PostError("image_retry_later", f"The last {_MOST_FAILURES} images of '{origin}' could not be fetched.")
        for pause in _PAUSES if self._failures[origin] < _MOST_FAILURES else ():
            time.sleep(pause)
            try:
                data = asyncio.run_coroutine_threadsafe(self._fetch(url), self._loop).result()
            except ImageError as refused:
                error = _told(refused)
                if error.code != LATER:
                    raise error from None
                self._failures[origin] += 1
            else:
                self._failures[origin] = 0
                return data
        raise error

    async def _fetch(self, url: str) -> bytes:
        from crossguard.serving.bodies import BodyHold

        with BodyHold(self._budget) as hold:
            return await self._fetcher.fetch(url, hold)


def _told(error: ImageError) -> PostError:
    """Returns the error of a post: final, or one that another run may not meet."""
    from crossguard.serving.fetching import FetchError

    if not isinstance(error, FetchError):
        return error
    status = error.status
    if status in _GONE:
        return PostError("image_gone", f"{error}")
    if status is None or status in _BUSY or status >= _SERVER_ERROR:
        return PostError("image_retry_later", f"{error} Run the job again with --resume.")
    return PostError("image_refused", f"{error}")
