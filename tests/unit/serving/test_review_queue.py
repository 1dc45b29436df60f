"""Scored posts reach the console, whatever it does meanwhile; requests notice nothing."""

from __future__ import annotations

import itertools
import json
import threading
import time
from collections.abc import Callable
from typing import Any

import httpx2
import pytest
from tests.support.decisions import failed

from crossguard.moderator import Moderator
from crossguard.records import Post
from crossguard.review.submissions import Submission, as_jpeg
from crossguard.serving import review_queue
from crossguard.serving.review_queue import ReviewQueue
from crossguard.wire import MISSING


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


def queue_to(
    console: Callable[[httpx2.Request], httpx2.Response], lost: Callable[[str, int], None] = lambda _, __: None
) -> ReviewQueue:
    return ReviewQueue("http://console/", "the-key", "forum", lost, transport=httpx2.MockTransport(console))


class Hasty(threading.Event):
    """Does not wait, and remembers for how long it should have."""

    def __init__(self) -> None:
        super().__init__()
        self.waits: list[float] = []

    def wait(self, timeout: float | None = None) -> bool:
        self.waits.append(timeout or 0.0)
        return self.is_set()


def send_until(happened: threading.Event, outgoing: ReviewQueue) -> None:
    outgoing.start()
    assert happened.wait(20)
    outgoing.stop()


@pytest.mark.parametrize("status", [503, 408])
def test_posts_arrive_with_their_decisions_after_the_console_was_away(tiny: Moderator, status: int) -> None:
    console = Console(status)
    outgoing = queue_to(console)
    outgoing.start()
    posts = [Post("7", "hello", more_images=(b"abc",)), Post("post", "one"), Post("post", "two")]
    decision = tiny.score(text="hello", id="7")
    outgoing.put(posts, [decision] * 3)
    assert console.taken.wait(20)
    outgoing.stop()
    first, second, third = console.items
    assert (first["id"], first["source"], first["text"]) == ("7", "forum", "hello")
    assert first["images"] == ["data:application/octet-stream;base64,YWJj"]
    assert first["decision"] == decision.to_dict()
    assert second["id"] != third["id"], "posts without a name are told apart by what they hold"


def test_a_post_that_the_console_refuses_costs_no_other() -> None:
    taken: list[str] = []
    ended = threading.Event()

    def console(request: httpx2.Request) -> httpx2.Response:
        texts = [item["text"] for item in json.loads(request.content)["items"]]
        if "bad" in texts:
            return httpx2.Response(400, text="items: no")
        taken.extend(texts)
        if "last" in texts:
            ended.set()
        return httpx2.Response(200)

    lost = list[tuple[str, int]]()
    outgoing = queue_to(console, lambda *told: lost.append(told))
    texts = ["a", "b", "bad", "c", "bad", "last"]
    outgoing.put([Post(str(n), text) for n, text in enumerate(texts)], [failed("x", "image_empty")] * len(texts))
    outgoing.put([Post("empty")], [failed("empty", "post_empty")])
    send_until(ended, outgoing)
    assert taken == ["a", "b", "c", "last"]
    assert lost == [("refused", 1)] * 2
    assert outgoing._bytes == 0


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ('{"error": {"code": "refused", "message": "items: (got \'my secret\')"}}', "refused"),
        ('{"error": {"code": "my secret"}}', "no code of an error"),
        ('{"error": "my secret"}', "no code of an error"),
        ("<p>my secret</p>", "no code of an error"),
    ],
)
@pytest.mark.parametrize("status", [400, 503])
def test_what_the_console_says_of_a_post_is_not_logged(
    body: str, told: str, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    outgoing = queue_to(lambda _: httpx2.Response(status, text=body))
    outgoing.put([Post("1", "my secret")], [failed("1", "image_empty")])
    outgoing.start()
    outgoing.stop()
    first = caplog.records[0].__dict__["fields"]
    assert first["message"].endswith(told)
    assert "my secret" not in str([record.__dict__ for record in caplog.records])


def test_a_post_with_an_image_that_was_not_fetched_is_reviewed(tiny: Moderator) -> None:
    console = Console()
    outgoing = queue_to(console)
    decision = failed("1", "image_url_not_allowed")
    addresses = ("blob:https://forum.example/1?token=s3cret", " https://cdn.example/1.png", "https://cdn.example/2.png")
    outgoing.put([Post(str(n), "words", address) for n, address in enumerate(addresses)], [decision] * 3)
    outgoing.put([Post("last", "words", "data:image/png;base64,YQ==")], [tiny.score(text="words")])
    send_until(console.taken, outgoing)
    *links, own = [Submission.model_validate_json(json.dumps(item)) for item in console.items]
    assert [as_jpeg(*one.images) for one in links] == [
        [(None, "The image was sent as a link, which was not fetched.")] for _ in addresses
    ]
    assert own.images == ("data:image/png;base64,YQ==",)


def test_a_conflict_is_tried_again_and_then_costs_one_post() -> None:
    sent: list[list[str]] = []
    ended = threading.Event()

    def console(request: httpx2.Request) -> httpx2.Response:
        sent.append([item["text"] for item in json.loads(request.content)["items"]])
        if "last" in sent[-1] and "bad" not in sent[-1]:
            ended.set()
        return httpx2.Response(409 if "bad" in sent[-1] else 200)

    outgoing = queue_to(console)
    texts = ["a", "bad", "b", "last"]
    outgoing.put([Post(str(n), text) for n, text in enumerate(texts)], [failed("x", "image_empty")] * len(texts))
    send_until(ended, outgoing)
    assert sent == [texts, ["a", "bad"], ["a"], ["bad"], ["bad"], ["b", "last"]]


def waits_for_two_posts(console: Console, monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Sends two posts until both are taken; returns for how long it would have been waited each time."""
    hasty, both = Hasty(), threading.Event()

    def answer(request: httpx2.Request) -> httpx2.Response:
        answered = console(request)
        if len(console.items) == 2:
            both.set()
        return answered

    outgoing = queue_to(answer)
    monkeypatch.setattr(outgoing, "_stopping", hasty)
    outgoing.put([Post("1", "a"), Post("2", "b")], [failed("x", "image_empty")] * 2)
    send_until(both, outgoing)
    return hasty.waits


def test_a_conflict_that_passes_costs_no_post_after_an_earlier_one(monkeypatch: pytest.MonkeyPatch) -> None:
    console = Console(409, 409, 200, 409)
    assert waits_for_two_posts(console, monkeypatch) == [1.0, 1.0]
    assert [item["text"] for item in console.items] == ["a", "b"]


@pytest.mark.parametrize("call", range(1, 12))
def test_a_conflict_that_passes_costs_no_post_beside_one_that_does_not(
    call: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken: list[str] = []
    calls = itertools.count(1)
    ended = threading.Event()

    def console(request: httpx2.Request) -> httpx2.Response:
        texts = [item["text"] for item in json.loads(request.content)["items"]]
        if next(calls) == call or "bad" in texts:
            return httpx2.Response(409)
        taken.extend(texts)
        if "last" in texts:
            ended.set()
        return httpx2.Response(200)

    outgoing = queue_to(console)
    monkeypatch.setattr(outgoing, "_stopping", Hasty())
    texts = ["a", "b", "c", "bad", "d", "e", "f", "last"]
    outgoing.put([Post(str(n), text) for n, text in enumerate(texts)], [failed("x", "image_empty")] * len(texts))
    send_until(ended, outgoing)
    assert taken == [text for text in texts if text != "bad"]


def test_a_console_that_takes_posts_again_is_not_waited_for_as_before(monkeypatch: pytest.MonkeyPatch) -> None:
    assert waits_for_two_posts(Console(503, 503, 413, 200, 503), monkeypatch) == [1.0, 2.0, 1.0]


def test_a_console_that_is_too_slow_for_a_batch_gets_it_in_parts(caplog: pytest.LogCaptureFixture) -> None:
    """Its answer to the whole would never come in time, and nothing would ever be taken."""
    taken, done = list[str](), threading.Event()

    def slow(request: httpx2.Request) -> httpx2.Response:
        assert request.extensions["timeout"] == {"connect": 10.0, "read": 60.0, "write": 60.0, "pool": 60.0}
        sent = json.loads(request.content)["items"]
        if len(sent) > 2:
            raise httpx2.ReadTimeout("too slow", request=request)
        taken.extend(item["id"] for item in sent)
        if len(taken) == 5:
            done.set()
        return httpx2.Response(200)

    outgoing = queue_to(slow)
    outgoing._stopping = Hasty()
    for number in range(5):
        outgoing._put(1, lambda number=number: {"id": str(number)})  # type: ignore[misc]
    send_until(done, outgoing)
    assert taken == ["0", "1", "2", "3", "4"]
    told = "The review console takes nothing now (504): It has not answered within 60 s."
    assert told in [entry["message"] for entry in logged(caplog, "review_queue_waits")]


@pytest.mark.parametrize("of_images", [True, False])
def test_a_post_that_alone_takes_the_console_too_long_costs_no_other(
    of_images: bool, caplog: pytest.LogCaptureFixture
) -> None:
    """Where its images are what takes long, it arrives without them; else it is told, and left out."""
    taken, sent, lost, ended = list[dict[str, Any]](), list[list[str]](), list[tuple[str, int]](), threading.Event()

    def console(request: httpx2.Request) -> httpx2.Response:
        items = json.loads(request.content)["items"]
        sent.append([item["id"] for item in items])
        if any(item["id"] == "2" and not (of_images and MISSING in item["images"][0]) for item in items):
            raise httpx2.ReadTimeout("too slow", request=request)
        taken.extend(items)
        if "last" in sent[-1]:
            ended.set()
        return httpx2.Response(200 if items else 400)

    outgoing = queue_to(console, lambda *told: lost.append(told))
    outgoing._stopping = Hasty()
    outgoing.put([Post(str(n), "a", more_images=(b"abc",)) for n in range(1, 4)], [failed("x", "image_empty")] * 3)
    outgoing.put([Post("last", "a")], [failed("x", "image_empty")])
    send_until(ended, outgoing)
    assert [item["id"] for item in taken] == (["1", "2", "3", "last"] if of_images else ["1", "3", "last"])
    assert sent.count(["2"]) == review_queue.MOST_SLOW
    assert lost == ([] if of_images else [("slow", 1)])
    assert [told["id"] for told in logged(caplog, "review_queue_slow")] == ([] if of_images else ["2"])
    assert [told["id"] for told in logged(caplog, "review_queue_images")] == ["2"]
    if of_images:
        assert as_jpeg(*Submission.model_validate_json(json.dumps(taken[1])).images) == [
            (None, "The console took too long with the images of this post, so it was sent without them.")
        ]


@pytest.mark.parametrize("failures", [review_queue.MOST_FAILED - 1, 1000])
def test_a_post_at_which_alone_the_console_fails_costs_no_other(
    failures: int, caplog: pytest.LogCaptureFixture
) -> None:
    """It is sent for minutes, in which the console may be mended, and then left out: it kept all others for ever."""
    taken, sent, lost, ended = list[str](), list[list[str]](), list[tuple[str, int]](), threading.Event()

    def console(request: httpx2.Request) -> httpx2.Response:
        ids = [item["id"] for item in json.loads(request.content)["items"]]
        sent.append(ids)
        if "2" in ids and sent.count(["2"]) <= failures:
            return httpx2.Response(500)
        taken.extend(ids)
        if "last" in ids:
            ended.set()
        return httpx2.Response(200 if ids else 400)

    outgoing = queue_to(console, lambda *told: lost.append(told))
    outgoing._stopping = hasty = Hasty()
    outgoing.put([Post(name, "a") for name in ("1", "2", "3", "last")], [failed("x", "image_empty")] * 4)
    send_until(ended, outgoing)
    passes = failures < review_queue.MOST_FAILED
    assert taken == (["1", "2", "3", "last"] if passes else ["1", "3", "last"])
    assert sent.count(["2"]) == review_queue.MOST_FAILED
    assert sum(hasty.waits) > 4 * 60
    assert lost == ([] if passes else [("failed", 1)])
    assert [told["id"] for told in logged(caplog, "review_queue_failed")] == ([] if passes else ["2"])


@pytest.mark.parametrize("status", [500, 502, 504])
def test_no_post_is_given_up_while_the_console_answers_nothing(status: int) -> None:
    calls, ended, lost = itertools.count(), threading.Event(), list[tuple[str, int]]()

    def console(request: httpx2.Request) -> httpx2.Response:
        if next(calls) < 30:
            if status == 504:
                raise httpx2.ReadTimeout("too slow", request=request)
            return httpx2.Response(status)
        ended.set()
        return httpx2.Response(200)

    outgoing = queue_to(console, lambda *told: lost.append(told))
    outgoing._stopping = Hasty()
    outgoing.put([Post("1", "a")], [failed("x", "image_empty")])
    send_until(ended, outgoing)
    assert lost == []


def test_a_console_that_has_moved_is_told(caplog: pytest.LogCaptureFixture) -> None:
    told = threading.Event()

    def console(_: httpx2.Request) -> httpx2.Response:
        told.set()
        return httpx2.Response(308, headers={"location": "https://console/api/items"})

    outgoing = queue_to(console)
    outgoing.put([Post("1", "a")], [failed("x", "image_empty")])
    send_until(told, outgoing)
    (record,) = caplog.records
    assert "that https://console/api/items is at" in record.__dict__["fields"]["message"]


def logged(caplog: pytest.LogCaptureFixture, name: str) -> list[dict[str, Any]]:
    return [record.__dict__["fields"] for record in caplog.records if record.message == name]


def test_the_end_sends_once_more_what_waited(caplog: pytest.LogCaptureFixture) -> None:
    console, refused = Console(), threading.Event()

    def answer(request: httpx2.Request) -> httpx2.Response:
        if not refused.is_set():
            refused.set()
            return httpx2.Response(503)
        return console(request)

    outgoing = queue_to(answer)
    outgoing.put([Post(str(n), "a") for n in range(150)], [failed("x", "image_empty")] * 150)
    send_until(refused, outgoing)
    assert len(console.items) == 150
    assert logged(caplog, "review_queue_lost") == []


def test_what_the_console_never_took_is_told(caplog: pytest.LogCaptureFixture) -> None:
    outgoing = queue_to(Console(*[503] * 9))
    outgoing.put([Post(str(n), "a") for n in range(150)], [failed("x", "image_empty")] * 150)
    outgoing.start()
    outgoing.stop()
    (lost,) = logged(caplog, "review_queue_lost")
    assert lost["posts"] == 150


def test_a_fault_of_ours_costs_one_batch(caplog: pytest.LogCaptureFixture) -> None:
    console = Console()
    lost = list[tuple[str, int]]()
    outgoing = queue_to(console, lambda *told: lost.append(told))

    def broken() -> dict[str, Any]:
        raise KeyError("a defect")

    outgoing._put(1, broken)
    outgoing.start()
    deadline = time.monotonic() + 20
    while not logged(caplog, "review_queue_failed") and time.monotonic() < deadline:
        time.sleep(0.01)
    outgoing.put([Post("1", "a")], [failed("x", "image_empty")])
    assert console.taken.wait(20)
    outgoing.stop()
    assert logged(caplog, "review_queue_failed")[0]["posts"] == 1
    assert lost == [("failed", 1)]
    assert outgoing._left == 0


def test_a_post_beyond_what_the_console_takes_is_cut_to_it(tiny: Moderator) -> None:
    console = Console()
    outgoing = queue_to(console)
    decisions = [tiny.score(text="hello")] * 2
    outgoing.put([Post("i" * 501, "x" * 100_001, more_images=(b"abc",) * 17), Post("", "empty id")], decisions)
    outgoing.put([Post("blob", image=b"one"), Post("blob", image=b"two")], decisions, named=False)
    send_until(console.taken, outgoing)
    for item in console.items:
        Submission.model_validate_json(json.dumps(item))
        assert item["decision"]["id"] == item["id"]  # type: ignore[index]
    assert len({item["id"] for item in console.items}) == 4, "uploads of one name are different posts"


def test_what_waits_is_bounded(
    tiny: Moderator, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(review_queue, "MOST_BYTES", 10)
    lost = list[tuple[str, int]]()
    outgoing = queue_to(Console(), lambda *told: lost.append(told))
    decision = tiny.score(text="hello")
    outgoing.put([Post("1", "12345"), Post("2", "123456"), Post("3", "12345")], [decision] * 3)
    assert outgoing._waiting.qsize() == 2
    (told,) = logged(caplog, "review_queue_full")
    assert (told["waiting"], told["dropped"]) == (1, 1)
    assert lost == [("full", 1)]
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
