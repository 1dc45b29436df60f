"""Hands scored posts and suggestions to a review console. No request waits for it, or fails because of it."""

from __future__ import annotations

import contextlib
import hashlib
import queue
import re
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from http import HTTPStatus
from typing import Any, Final, TypeAlias

import httpx2

from crossguard.data.image_sources import data_url, is_data_url
from crossguard.preparation import POST_EMPTY
from crossguard.records import Decision, Post
from crossguard.serving import logs
from crossguard.wire import MISSING
from crossguard.wire.suggestions import as_item

MOST_WAITING: Final = 10_000
MOST_BYTES: Final = 64 * 1024 * 1024
BATCH: Final = 100
BATCH_BYTES: Final = 4 * 1024 * 1024
IDLE_S: Final = 0.2
CONNECT_S: Final = 10.0
ANSWER_S: Final = 60.0
"""How long the console may take for a batch: it decodes and encodes its images before it answers."""
LAST_S: Final = 5.0
"""How long the end of the service waits for the console, after it has been served all the while."""
SHORTEST_WAIT_S: Final = 1.0
LONGEST_WAIT_S: Final = 60.0
MOST_SLOW: Final = 3
"""How often a post is sent that alone takes a console that does answer more than `ANSWER_S`; the last time without its
images, which are what takes long."""
MOST_FAILED: Final = 10
"""How often a post is sent at which alone a console fails that does answer: for minutes, in which it may recover."""
_TRIES: Final[dict[int, int]] = {HTTPStatus.GATEWAY_TIMEOUT: MOST_SLOW, HTTPStatus.INTERNAL_SERVER_ERROR: MOST_FAILED}
"""How often a post is sent after a status that may be its own fault; the others from 500 on are the console's."""
# What the console takes of a post; the service may take more, and the beginning is better than nothing.
_LONGEST_ID: Final = 500
_LONGEST_TEXT: Final = 100_000
_MOST_IMAGES: Final = 16
_NAME: Final = 100
_LATER: Final = frozenset({401, 408, 429})
"""Refusals that may pass: somebody enters the key, the network is faster, the console has time."""
_CONFLICT: Final = 409
"""What was sent met another change: it fits when it is sent again, or one of the posts never fits."""
_ABOUT_POSTS: Final = frozenset({400, _CONFLICT, 413, 422})
"""Refusals that are about one of the posts; any other is about the key or the address."""
_CODE: Final = re.compile(r"[a-z0-9_]{1,64}")
_NOT_FETCHED: Final = f"{MISSING}The image was sent as a link, which was not fetched."
"""In place of every address: the console follows none, and takes no post with what does not look like one."""
_TOO_SLOW: Final = f"{MISSING}The console took too long with the images of this post, so it was sent without them."
UNNAMED: Final = "post"
"""The id of a post to which its caller gave none."""
Waiting: TypeAlias = tuple[int, Callable[[], dict[str, Any]]]
"""Size of an item, and what writes it down; images are encoded by the sender's thread."""


class ReviewQueue:
    """Sends posts with their decisions in batches, in a thread of its own, until the console takes them.

    What waits is bounded in number and bytes; beyond that, posts are dropped. What is dropped, or has not been taken
    when the service ends, is logged.

    Args:
        url: Address of the console.
        key: Key that the console made for this service.
        source: What the console calls where the posts come from.
        lost: Is told of posts that will not reach the console: why (`full`, `refused`, `slow`, `failed`), how many.
        transport: In place of the network, for tests.
    """

    def __init__(
        self,
        url: str,
        key: str,
        source: str,
        lost: Callable[[str, int], None],
        transport: httpx2.BaseTransport | None = None,
    ) -> None:
        self._url = f"{url.rstrip('/')}/api/items"
        self._source = source
        self._lost = lost
        self._waiting: queue.Queue[Waiting] = queue.Queue(MOST_WAITING)
        self._bytes, self._left, self._dropped = 0, 0, 0
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        headers = {"authorization": f"Bearer {key}"}
        self._client = httpx2.Client(
            headers=headers, timeout=httpx2.Timeout(ANSWER_S, connect=CONNECT_S), transport=transport
        )
        self._thread = threading.Thread(target=self._run, name="crossguard-review-queue", daemon=True)

    def start(self) -> None:
        """Begins to send."""
        self._thread.start()

    def stop(self) -> None:
        """Sends what waits, for a while and as long as the console takes it, and ends."""
        self._stopping.set()
        self._thread.join(LAST_S)
        if self._left:
            logs.event("review_queue_lost", 40, posts=self._left, message="The review console has not taken these.")
        self._client.close()

    def put(self, posts: Sequence[Post], decisions: Sequence[Decision], *, named: bool = True) -> None:
        """Takes scored posts, but for empty ones, which nobody can judge; returns at once.

        Ids of posts that are not `named` may recur.
        """
        for post, decision in zip(posts, decisions, strict=True):
            if decision.error is None or decision.error.code != POST_EMPTY:
                self._put(_size(post), partial(self._item, post, decision, named=named))

    def put_suggestion(self, record: Mapping[str, Any]) -> None:
        """Takes what somebody thinks the scores of a text should be; returns at once."""
        self._put(len(record["text"]), lambda: as_item(record) | {"source": self._source})

    def _put(self, size: int, write: Callable[[], dict[str, Any]]) -> None:
        with self._lock:
            if self._bytes + size <= MOST_BYTES and not self._waiting.full():
                self._waiting.put_nowait((size, write))
                self._bytes, self._left = self._bytes + size, self._left + 1
                return
        self._dropped += 1
        self._lost("full", 1)
        if self._dropped.bit_count() == 1:  # the first, and then half as often each time
            message = "The review console takes less than comes in, so posts are dropped."
            logs.event("review_queue_full", 40, message=message, waiting=self._left, dropped=self._dropped)

    def _run(self) -> None:
        while not self._stopping.is_set() or not self._waiting.empty():
            batch = list(self._next())
            try:
                if batch and not self._deliver(batch):
                    return
            except Exception as error:  # noqa: BLE001 - one batch must not cost all that come after it
                logs.failure("review_queue_failed", error, posts=len(batch))
                self._lost("failed", len(batch))
            with self._lock:
                self._bytes -= sum(size for size, _ in batch)
                self._left -= len(batch)

    def _next(self) -> Iterator[Waiting]:
        size = 0
        with contextlib.suppress(queue.Empty):
            for number in range(BATCH):
                entry = self._waiting.get(timeout=IDLE_S) if number == 0 else self._waiting.get_nowait()
                yield entry
                size += entry[0]
                if size > BATCH_BYTES:
                    return

    def _deliver(self, batch: Sequence[Waiting]) -> bool:
        """Sends a batch again and again until it is taken or refused; False when it is not, and the service ends.

        One post that the console does not take must not cost the others: what is refused is sent again in halves, and
        a single post that met a conflict once more. So is what takes too long, or makes the console fail: in whole it
        would for ever, and a single post that does is given up in the end.
        """
        parts: list[Sequence[dict[str, Any]]] = [[write() for _, write in batch]]
        wait, conflict, tried = SHORTEST_WAIT_S, False, Counter[int]()
        while parts:
            last = self._stopping.is_set()
            status, said = self._post(parts[0])
            if status in _TRIES and len(parts[0]) == 1 and not last:
                tried[status] += self._is_there()
            again = status in _LATER or (status == _CONFLICT and len(parts[0]) == 1 and not (conflict or last))
            if again or (status >= HTTPStatus.INTERNAL_SERVER_ERROR and tried[status] < _TRIES.get(status, 1)):
                conflict = conflict or status == _CONFLICT
                message = f"The review console takes nothing now ({status}): {said}"
                logs.event("review_queue_waits", 30, message=message, waiting=self._left, dropped=self._dropped)
                if last:
                    return False
                if status in _TRIES:
                    parts[:1] = _halves(parts[0])
                if status == HTTPStatus.GATEWAY_TIMEOUT and tried[status] == MOST_SLOW - 1:
                    parts[0] = [_without_images(parts[0][0])]
                self._stopping.wait(wait)
                wait = min(2 * wait, LONGEST_WAIT_S)
                continue
            wait, conflict, tried = SHORTEST_WAIT_S, False, Counter()
            part = parts.pop(0)
            if status in _ABOUT_POSTS and len(part) > 1:
                parts[:0] = _halves(part)
            elif status >= HTTPStatus.MULTIPLE_CHOICES:
                self._give_up(part, status, said)
        return True

    def _is_there(self) -> bool:
        """Whether the console answers at all, so that what went wrong is about the post, and not about the console.

        It refuses a call without posts as soon as it has looked the key up.
        """
        return self._post(())[0] < HTTPStatus.INTERNAL_SERVER_ERROR

    def _give_up(self, posts: Sequence[dict[str, Any]], status: int, said: str) -> None:
        reason = "refused"
        if status == HTTPStatus.GATEWAY_TIMEOUT:
            reason = "slow"
            message = f"The review console takes longer than {ANSWER_S:.0f} s for this post alone, so it is left out."
            logs.event("review_queue_slow", 40, id=posts[0]["id"], message=message)
        elif status == HTTPStatus.INTERNAL_SERVER_ERROR:
            reason = "failed"
            message = "The review console fails at this post alone, so it is left out; the console's log says why."
            logs.event("review_queue_failed", 40, id=posts[0]["id"], message=message)
        else:
            logs.event("review_queue_refused", 40, status=status, posts=len(posts), message=said)
        self._lost(reason, len(posts))

    def _post(self, posts: Sequence[dict[str, Any]]) -> tuple[int, str]:
        """Sends posts; returns the status of the answer, 503 or 504 where none came, and what may be logged of it.

        That is not its message, which may quote a post.
        """
        try:
            answer = self._client.post(self._url, json={"items": posts})
        except (httpx2.ReadTimeout, httpx2.WriteTimeout):
            return HTTPStatus.GATEWAY_TIMEOUT, f"It has not answered within {ANSWER_S:.0f} s."
        except httpx2.HTTPError as error:
            return HTTPStatus.SERVICE_UNAVAILABLE, f"It cannot be reached: {error}."
        if answer.has_redirect_location:
            return answer.status_code, f"Give --review-queue the address that {answer.headers['location']} is at."
        return answer.status_code, _code(answer)

    def _item(self, post: Post, decision: Decision, *, named: bool) -> dict[str, Any]:
        images = [_shown(image) for image in post.images[:_MOST_IMAGES]]
        own = named and post.id not in {"", UNNAMED} and len(post.id) <= _LONGEST_ID
        id_ = post.id if own else _digest(post)
        fields = {"id": id_, "source": self._source, "images": images, "decision": decision.to_dict() | {"id": id_}}
        return fields | {"text": post.text[:_LONGEST_TEXT], "image_text": post.image_text[:_LONGEST_TEXT]}


def _halves(posts: Sequence[dict[str, Any]]) -> list[Sequence[dict[str, Any]]]:
    middle = len(posts) // 2
    return [half for half in (posts[:middle], posts[middle:]) if half]


def _without_images(post: dict[str, Any]) -> dict[str, Any]:
    """Returns a post with why it has no images in place of each; one that has none as it is."""
    shown = [image for image in post.get("images", ()) if not image.startswith(MISSING)]
    if not shown:
        return post
    message = "The review console takes too long with the images of this post, so it is sent without them."
    logs.event("review_queue_images", 40, id=post["id"], message=message)
    return post | {"images": [_TOO_SLOW] * len(post["images"])}


def _data_url(image: object) -> str:
    return data_url(image) if isinstance(image, bytes) else str(image)


def _shown(image: object) -> str:
    url = _data_url(image)
    return url if is_data_url(url) else _NOT_FETCHED


def _code(answer: httpx2.Response) -> str:
    """Returns the code of an error of the console, of which the rest may quote a post."""
    try:
        code = str(answer.json()["error"]["code"])
    except (ValueError, LookupError, TypeError, RecursionError):
        code = ""
    return code if _CODE.fullmatch(code) else "no code of an error"


def _digest(post: Post) -> str:
    """Returns a name for a post without one of its own, so that the console does not take these for the same."""
    digest = hashlib.sha256(f"{post.text}\0{post.image_text}".encode("utf-8", "surrogatepass"))
    for image in post.images:
        digest.update(_data_url(image).encode())
    return f"{post.id[:_NAME] or UNNAMED}-{digest.hexdigest()[:24]}"


def _size(post: Post) -> int:
    images = sum(len(image) for image in post.images if isinstance(image, bytes | str))
    return len(post.text) + len(post.image_text) + images
