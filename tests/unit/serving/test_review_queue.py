"""Scored posts reach the console, whatever it does meanwhile; requests notice nothing."""

from __future__ import annotations

import json
import threading

import httpx2
import pytest

from crossguard.moderator import Moderator
from crossguard.serving import review_queue
from crossguard.serving.review_queue import ReviewQueue
from crossguard.serving.submitted_post import SubmittedPost


class Console:
    """Answers with each status in turn, then takes everything."""

    def __init__(self, *statuses: int) -> None:
        self.statuses = list(statuses)
        self.items: list[dict[str, object]] = []
        self.taken = threading.Event()

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        status = self.statuses.pop(0) if self.statuses else 200
        if status == 200:
            assert request.headers["authorization"] == "Bearer the-key"
            self.items += json.loads(request.content)["items"]
            self.taken.set()
        return httpx2.Response(status)


def queue_to(console: Console) -> ReviewQueue:
    return ReviewQueue("http://console/", "the-key", "forum", transport=httpx2.MockTransport(console))


def test_posts_arrive_with_their_decisions_after_the_console_was_away(
    tiny: Moderator, monkeypatch: pytest.MonkeyPatch
) -> None:
    console = Console(503)
    outgoing = queue_to(console)
    outgoing.start()
    posts = [SubmittedPost("7", "hello", images=(b"abc",)), SubmittedPost("post", "one"), SubmittedPost("post", "two")]
    decision = tiny.score(text="hello", id="7")
    outgoing.put(posts, [decision] * 3)
    assert console.taken.wait(20)
    outgoing.stop()
    first, second, third = console.items
    assert (first["id"], first["source"], first["text"]) == ("7", "forum", "hello")
    assert first["images"] == ["data:application/octet-stream;base64,YWJj"]
    assert first["decision"] == decision.to_dict()
    assert second["id"] != third["id"], "posts without a name are told apart by what they hold"


def test_what_waits_is_bounded(tiny: Moderator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(review_queue, "MOST_BYTES", 10)
    outgoing = queue_to(Console())
    decision = tiny.score(text="hello")
    outgoing.put(
        [SubmittedPost("1", "12345"), SubmittedPost("2", "123456"), SubmittedPost("3", "12345")], [decision] * 3
    )
    assert outgoing._waiting.qsize() == 2
    assert outgoing._dropped == 1
    outgoing._client.close()


def test_suggestions_are_handed_over_as_votes() -> None:
    console = Console()
    outgoing = queue_to(console)
    outgoing.start()
    record = {"text": "hello", "attributes": {"TOXICITY": 0.9}, "caller": "forum", "community_id": None}
    outgoing.put_suggestion(record)
    assert console.taken.wait(20)
    outgoing.stop()
    (item,) = console.items
    assert (item["source"], item["text"]) == ("forum", "hello")
    assert item["suggestion"] == {"by": "forum", "scores": {"TOXICITY": 0.9}}
