"""A call: who may make it, what its body may be, and what is counted."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from starlette.requests import Request
from tests.support.decisions import decision, failed
from tests.support.loops import in_loop
from tests.support.serving import call_of, service_of

from crossguard.engine import FAILED
from crossguard.moderator import Moderator
from crossguard.records import Post
from crossguard.serving.bodies import OPEN_BODY_BYTES
from crossguard.serving.call import Access, scored, while_connected
from crossguard.serving.errors import (
    ApiError,
    BadRequest,
    BodyTooLarge,
    ClientDisconnected,
    Forbidden,
    InternalError,
    Overloaded,
    TooManyPosts,
    Unauthorized,
    Unscorable,
    UnsupportedBody,
)
from crossguard.serving.interfaces.score import PostBody, PostsBody
from crossguard.serving.service import Service

HELLO = Post("1", "hello")
LONG = Post("1", "hello " * 1000)


def test_who_may_call(served_model: Moderator) -> None:
    service = service_of(served_model, {"forum": {}, "boss": {"admin": True}})
    with pytest.raises(Unauthorized):
        call_of(service).admit(Access.KEY, scores=True)
    with pytest.raises(Unauthorized):
        call_of(service, x_api_key="other").admit(Access.KEY, scores=True)
    with pytest.raises(Forbidden):
        call_of(service, x_api_key="forum").admit(Access.ADMIN, scores=False)
    call = call_of(service, authorization="Bearer boss")
    call.admit(Access.ADMIN, scores=False)
    assert (call.caller, call.exchange.caller) == ("boss", "boss")


@pytest.mark.parametrize("sent", [{"x_api_key": " forum \t"}, {"authorization": "bearer  forum "}])
def test_a_key_may_have_space_around_it_as_when_it_was_copied(served_model: Moderator, sent: dict[str, Any]) -> None:
    call = call_of(service_of(served_model, {"forum": {}}), **sent)
    call.admit(Access.KEY, scores=False)
    assert call.caller == "forum"


@pytest.mark.parametrize("access", Access)
def test_a_content_type_is_bounded_before_anybody_reads_it(service: Service, access: Access) -> None:
    with pytest.raises(UnsupportedBody, match="may have 1000 characters"):
        call_of(service, content_type=f'multipart/mixed; boundary="{";" * 1000}').admit(access, scores=True)


def test_what_everybody_may_send_is_small_and_has_a_budget_of_its_own(served_model: Moderator) -> None:
    service = service_of(served_model, {"forum": {}})
    call = call_of(service, b"a" * (OPEN_BODY_BYTES + 1))
    call.admit(Access.OPEN, scores=True)
    with pytest.raises(BodyTooLarge):
        asyncio.run(call.body.read())
    small = call_of(service, b"abc")
    small.admit(Access.OPEN, scores=True)
    assert asyncio.run(small.body.read()) == b"abc"
    assert (service.open_budget.held, service.budget.held) == (3, 0)


def test_a_body_is_counted_before_it_is_read(served_model: Moderator) -> None:
    service = service_of(served_model, posts_per_minute=1)
    call_of(service).admit(Access.KEY, scores=False)
    call_of(service).admit(Access.KEY, scores=True)
    with pytest.raises(TooManyPosts):
        call_of(service).admit(Access.KEY, scores=True)


def test_a_key_has_its_own_rate_and_0_is_none(served_model: Moderator) -> None:
    keys = {"slow": {"posts_per_minute": 1}, "free": {"posts_per_minute": 0}, "usual": {}}
    service = service_of(served_model, keys, posts_per_minute=2)
    for name, most in (("slow", 1), ("usual", 2)):
        for _ in range(most):
            call_of(service, x_api_key=name).admit(Access.KEY, scores=True)
        with pytest.raises(TooManyPosts):
            call_of(service, x_api_key=name).admit(Access.KEY, scores=True)
    for _ in range(20):
        call_of(service, x_api_key="free").admit(Access.KEY, scores=True)


def test_a_body_is_json_by_default_and_in_any_spelling(service: Service) -> None:
    for kind in ("application/json", "Application/JSON; charset=utf-8"):
        assert asyncio.run(call_of(service, b'{"text": "a"}', content_type=kind).parse(PostBody)).text == "a"
    latin = call_of(
        service, '{"text": "h\u00e9"}'.encode("latin-1"), content_type="application/json; charset=iso-8859-1"
    )
    assert asyncio.run(latin.parse(PostBody)).text == "h\u00e9"


def test_a_body_may_begin_with_the_mark_that_windows_writes(service: Service) -> None:
    assert asyncio.run(call_of(service, b'\xef\xbb\xbf{"text": "a"}').parse(PostBody)).text == "a"


def test_a_body_of_another_type_is_told_which_header_to_send(service: Service) -> None:
    with pytest.raises(UnsupportedBody, match="Send the header 'content-type: application/json'"):
        asyncio.run(call_of(service, content_type="text/csv").parse(PostBody))
    with pytest.raises(BadRequest):
        asyncio.run(call_of(service, b"{").parse(PostBody))


def test_plain_text_is_json_where_that_is_allowed_and_no_page_sends_it(service: Service) -> None:
    plain = "text/plain"
    assert asyncio.run(call_of(service, b"{}", content_type=plain).parse(PostBody, plain=True)) == PostBody()
    for wrong in (
        call_of(service, b"{}", content_type=plain).parse(PostBody),
        call_of(service, origin="https://a", content_type=plain).parse(PostBody, plain=True),
    ):
        with pytest.raises(UnsupportedBody):
            asyncio.run(wrong)


@pytest.mark.parametrize(
    ("posts", "code", "said"),
    [
        ([HELLO] * 4, "too_many_posts", "may have 3 posts; this one has 4"),
        ([Post("1", more_images=(b"1", b"2", b"3"))], "too_many_images", "may have 2 images; one of these has 3"),
        (
            [Post("1", more_images=("https://a/1",))] * 2,
            "too_many_fetches",
            "may have 1 image to fetch",
        ),
    ],
)
def test_a_request_has_sizes(served_model: Moderator, posts: list[Post], code: str, said: str) -> None:
    service = service_of(served_model, max_posts=3, max_images=2, fetch_max=1)
    with pytest.raises(BodyTooLarge, match=said) as refused:
        asyncio.run(call_of(service).score(posts))
    assert refused.value.code == code


async def scored_by(service: Service, posts: list[Post]) -> list[str]:
    """Scores posts for a client that waits."""
    call = call_of(service)
    call.admit(Access.KEY, scores=True)
    await call.body.read()
    waiting = asyncio.Event()

    async def receive() -> dict[str, object]:
        await waiting.wait()
        raise AssertionError

    call.request._receive = receive  # the client says nothing more
    return [found.id for found in await call.score(posts)]


def test_posts_are_scored_in_order(service: Service) -> None:
    posts = [Post(str(number), f"hello {number}") for number in range(5)]
    assert asyncio.run(scored_by(service, posts)) == list("01234")
    assert service.admission.pending == 0


def test_a_client_that_is_gone_is_not_worked_for(service: Service) -> None:
    call = call_of(service, None)
    with pytest.raises(ClientDisconnected):
        asyncio.run(call.score([Post(str(number), f"hello {number}") for number in range(100)]))
    assert service.admission.pending == 0


def test_a_body_of_very_many_values_is_refused_before_they_are_built(service: Service) -> None:
    body = b'{"posts": [%b{}]}' % (b"[]," * 100_000)
    with pytest.raises(BodyTooLarge, match=r"more than .* values\. Send fewer"):
        asyncio.run(call_of(service, body).parse(PostsBody))


def test_one_long_post_counts_as_a_whole_minute_and_several_are_too_many(served_model: Moderator) -> None:
    service = service_of(served_model, posts_per_minute=3)
    with pytest.raises(BodyTooLarge, match="may send 3 posts per minute; these are 2") as refused:
        asyncio.run(call_of(service).score([LONG, LONG]))
    assert refused.value.code == "too_many_posts"
    assert asyncio.run(scored_by(service_of(served_model, posts_per_minute=3), [LONG])) == ["1"]


def test_what_we_refuse_does_not_count(served_model: Moderator) -> None:
    service = service_of(served_model, posts_per_minute=10, max_queue=5, max_posts=5)
    with service.admission.hold(5, 5), pytest.raises(Overloaded):
        asyncio.run(scored_by(service, [HELLO] * 3))
    assert asyncio.run(scored_by(service, [HELLO] * 5)) == ["1"] * 5
    assert asyncio.run(scored_by(service, [HELLO] * 5)) == ["1"] * 5


@pytest.mark.parametrize(("code", "kind"), [("post_empty", Unscorable), (FAILED, InternalError)])
def test_a_request_about_one_post_fails_with_it(code: str, kind: type[ApiError]) -> None:
    with pytest.raises(kind) as refused:
        scored(failed("1", code, "So it is."))
    assert (refused.value.code, refused.value.message) == (code, "So it is.")
    known = decision("1")
    assert scored(known) is known


def test_a_refused_request_leaves_nothing_in_its_way(served_model: Moderator) -> None:
    """Else one as large as the rate would never be answered, however long its sender waits."""
    service = service_of(served_model, posts_per_minute=5)
    assert asyncio.run(scored_by(service, [HELLO])) == ["1"]
    for _ in range(3):
        with pytest.raises(TooManyPosts):
            asyncio.run(scored_by(service, [HELLO] * 5))
    assert asyncio.run(scored_by(service, [HELLO] * 4)) == ["1"] * 4


def test_bodies_that_are_refused_count_as_bodies(served_model: Moderator) -> None:
    service = service_of(served_model, posts_per_minute=3)
    assert asyncio.run(scored_by(service, [HELLO])) == ["1"]
    for _ in range(2):
        with pytest.raises(TooManyPosts):
            asyncio.run(scored_by(service, [HELLO] * 3))
    with pytest.raises(TooManyPosts):
        call_of(service).admit(Access.KEY, scores=True)


def client_that(disconnects: asyncio.Event) -> Request:
    async def receive() -> dict[str, Any]:
        await disconnects.wait()
        return {"type": "http.disconnect"}

    return Request({"type": "http"}, receive)


async def soon(event: asyncio.Event) -> None:
    event.set()


@in_loop
async def test_a_block_of_a_client_that_stays_gives_its_result() -> None:
    async with while_connected(client_that(asyncio.Event())):
        await asyncio.sleep(0)
        assert len(asyncio.all_tasks()) == 2


@in_loop
async def test_a_block_ends_when_the_client_disconnects() -> None:
    gone, cancelled = asyncio.Event(), asyncio.Event()

    async def work() -> None:
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            cancelled.set()
            raise

    later = asyncio.create_task(soon(gone))
    with pytest.raises(ClientDisconnected):
        async with while_connected(client_that(gone)):
            await work()
    assert cancelled.is_set()
    await later
    # Nothing is left of it: the task goes on as if it had never been cancelled.
    await asyncio.sleep(0)
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0


@in_loop
async def test_disconnecting_behind_the_block_cancels_nothing() -> None:
    gone = asyncio.Event()
    async with while_connected(client_that(gone)):
        await asyncio.sleep(0)
        gone.set()
    await asyncio.sleep(0.01)


@in_loop
async def test_a_deadline_around_it_is_told_from_a_disconnect() -> None:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01), while_connected(client_that(asyncio.Event())):
            await asyncio.sleep(3600)


@in_loop
async def test_an_error_of_the_block_is_raised_as_it_is() -> None:
    with pytest.raises(ValueError, match="broken"):
        async with while_connected(client_that(asyncio.Event())):
            raise ValueError("broken")
