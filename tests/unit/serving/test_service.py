"""The service behind all interfaces."""

from __future__ import annotations

import asyncio
import json
import shutil
import threading
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.support.loops import in_loop
from tests.support.serving import service_of

from crossguard.bundle import Bundle, write_manifest
from crossguard.errors import BundleError, ImageError, InputError
from crossguard.moderator import Moderator
from crossguard.records import Decision, Post
from crossguard.serving.bodies import BodyHold
from crossguard.serving.errors import Overloaded
from crossguard.serving.served import Served, load_served
from crossguard.serving.service import Answers, Service
from crossguard.serving.settings import ServeSettings


class Review:
    """A queue to a console that keeps what it is given."""

    def __init__(self) -> None:
        self.calls: list[Any] = []

    def put(self, posts: Sequence[Post], decisions: Sequence[Decision], *, named: bool) -> None:
        assert named
        self.calls.append((list(posts), list(decisions)))

    def start(self) -> None:
        self.calls.append("start")

    def stop(self) -> None:
        self.calls.append("stop")


def score(service: Service, posts: Sequence[Post], cost: int = 1) -> list[Decision]:
    return asyncio.run(service.score(service.served.base, posts, cost, "caller", review=True))


def sample(service: Service, name: str, **labels: str) -> float | None:
    return service.telemetry.registry.get_sample_value(name, labels)


def test_a_bad_post_fails_in_its_place(service: Service, tiny: Moderator) -> None:
    found = score(service, [Post("1", "hello"), Post("2"), Post("3", "you")])
    assert [(entry.id, entry.ok) for entry in found] == [("1", True), ("2", False), ("3", True)]
    assert found[0].scores == pytest.approx(tiny.score(text="hello").scores, abs=1e-5)
    assert sample(service, "crossguard_failed_posts_total", code="post_empty") == 1
    assert service.admission.pending == 0


def test_an_image_that_may_not_be_fetched_fails_its_post_only(service: Service) -> None:
    remote = Post("2", "hello", more_images=("https://media.example.com/a.png",))
    first, second, third = score(service, [Post("1", "hello"), remote, Post("3", "you")])
    assert first.ok
    assert third.ok
    assert second.error is not None
    assert second.error.code == "image_url_not_allowed"
    assert sample(service, "crossguard_failed_posts_total", code="image_url_not_allowed") == 1


def test_fetched_images_stand_beside_those_that_came_along(
    service: Service, red: bytes, blue: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    async def fetch(url: str, hold: BodyHold) -> bytes:
        asked.append(url)
        if url.endswith("gone"):
            raise ImageError("image_fetch_failed", "It is gone.")
        hold.take(len(blue))
        return blue

    monkeypatch.setattr(service.fetcher, "fetch", fetch)
    posts = [
        Post("1", more_images=(red, "https://a/blue")),
        Post("2", more_images=("https://a/gone", "https://a/blue")),
    ]
    review = Review()
    monkeypatch.setattr(service, "review", review)
    found, gone = score(service, posts)
    ((seen, decisions),) = review.calls
    assert decisions == [found, gone]
    assert [post.images for post in seen] == [(red, blue), posts[1].images], "reviewers see what was scored"
    (both,) = score(service, [Post("1", more_images=(red, blue))])
    assert found.scores == pytest.approx(both.scores, abs=1e-5)
    assert gone.error is not None
    assert sorted(asked) == ["https://a/blue", "https://a/gone"], "after a failure no more of a post is fetched"
    assert service.budget.held == 0


def test_of_a_post_that_failed_on_its_way_nothing_is_read(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else what cannot be scored would cost as much as what can, and nothing in the rate of its caller."""
    submit, submitted = Moderator.submit, []

    def noted(self: Moderator, posts: list[Post], caller: str = "", **options: bool) -> Future[list[Decision]]:
        submitted.extend(posts)
        return submit(self, posts, caller, **options)

    monkeypatch.setattr(Moderator, "submit", noted)
    score(service, [Post("1", "hello", b"image", more_images=("https://media.example.com/a.png",)), Post("2", "you")])
    assert [(post.id, post.text, post.images, post.error is None) for post in submitted] == [
        ("1", "", (), False),
        ("2", "you", (), True),
    ]


def test_a_full_queue_refuses_all(served_model: Moderator) -> None:
    service = service_of(served_model, max_queue=2, max_posts=2)
    with service.admission.hold(2, 2), pytest.raises(Overloaded):
        score(service, [Post("1", "hello")])


def test_what_is_served_is_told_to_the_metrics(service: Service, served_model: Moderator) -> None:
    labels = {"model": "tiny", "version": "1.0.0", "policy": "default", "runtime": served_model.runtime.name}
    assert sample(service, "crossguard_model", **labels) == 1


def test_levels_are_read_when_they_are_scraped(service: Service) -> None:
    with service.admission.hold(2, 2), BodyHold(service.budget) as hold:
        hold.take(6)
        assert sample(service, "crossguard_queue_posts") == 2
        assert sample(service, "crossguard_buffered_bytes") == 6
    assert sample(service, "crossguard_queue_posts") == 0


@in_loop
async def test_its_life(tiny_bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    service = service_of(Moderator.load(tiny_bundle.folder), review_queue="http://127.0.0.1:9", review_key="k")
    review = Review()
    monkeypatch.setattr(service, "review", review)
    await service.start()
    await service.stop()
    assert review.calls == ["start", "stop"]
    with pytest.raises(InputError, match="closed"):
        service.served.base.submit([Post("1", "hello")])


@in_loop
async def test_a_reload_serves_the_new_model_or_keeps_the_old_one(tiny_bundle: Bundle, tmp_path: Path) -> None:
    folder = tmp_path / "bundle"
    shutil.copytree(tiny_bundle.folder, folder)
    settings = ServeSettings(model=str(folder))
    service = Service(settings, load_served(settings))
    old = service.served
    manifest = json.loads((folder / "bundle.json").read_text(encoding="utf-8"))
    manifest["model"]["version"] = "2.0.0"
    write_manifest(folder, manifest)
    assert await service.reload() is None
    new = service.served
    assert new.base.bundle.manifest.model.version == "2.0.0"
    (folder / "text.onnx").write_bytes(b"broken")
    assert "text.onnx" in str(await service.reload())
    assert service.served is new
    for outcome in ("done", "failed"):
        assert sample(service, "crossguard_reloads_total", outcome=outcome) == 1
    for each in (old, new):
        each.base.close()


@in_loop
async def test_a_reload_ends_when_nobody_waits_for_it_any_more(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A large model takes longer than a request may, and its caller would get an error for ever."""
    loaded, waited = replace(service.served), threading.Event()

    def load(_: ServeSettings) -> Served:
        waited.wait(10)
        return loaded

    monkeypatch.setattr("crossguard.serving.service.load_served", load)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(asyncio.shield(service.reload()), 0.01)
    assert service.served is not loaded
    waited.set()
    await asyncio.gather(*service._reloads)
    assert service.served is loaded
    assert sample(service, "crossguard_reloads_total", outcome="done") == 1


@in_loop
async def test_a_reload_that_fails_ends_nothing(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    """As after SIGHUP, where nobody takes its error."""

    def load(_: ServeSettings) -> Served:
        raise BundleError("It is broken.")

    monkeypatch.setattr("crossguard.serving.service.load_served", load)
    old = service.served
    assert str(await service.reload()) == "It is broken."
    assert service.served is old


async def taken(answers: Answers, computed: Future[int]) -> asyncio.Task[int]:
    task = asyncio.create_task(answers.of(computed))
    await asyncio.sleep(0)
    return task


def finish(computed: list[Future[int]]) -> None:
    for one in computed:
        one.set_result(1)


@in_loop
async def test_all_that_is_ready_comes_with_one_wake_up(monkeypatch: pytest.MonkeyPatch) -> None:
    answers, computed = Answers(), [Future[int]() for _ in range(20)]
    tasks = [await taken(answers, one) for one in computed]
    loop, woken = asyncio.get_running_loop(), 0
    wake = loop.call_soon_threadsafe

    def counted(*given: object) -> object:
        nonlocal woken
        woken += 1
        return wake(*given)  # type: ignore[arg-type]  # passed on as it came

    monkeypatch.setattr(loop, "call_soon_threadsafe", counted)
    for number, one in enumerate(computed):
        one.set_result(number)
    assert await asyncio.gather(*tasks) == list(range(20))
    assert woken == 1


@in_loop
async def test_answers_come_from_threads_while_the_loop_delivers() -> None:
    answers, computed = Answers(), [Future[int]() for _ in range(2000)]
    tasks = [await taken(answers, one) for one in computed]
    parts = [computed[start::4] for start in range(4)]
    await asyncio.gather(*(asyncio.to_thread(finish, part) for part in parts))
    assert await asyncio.wait_for(asyncio.gather(*tasks), 20) == [1] * 2000


@in_loop
async def test_an_error_is_raised_where_it_is_awaited() -> None:
    computed: Future[int] = Future()
    task = await taken(Answers(), computed)
    computed.set_exception(ValueError("broken"))
    with pytest.raises(ValueError, match="broken"):
        await task


@in_loop
async def test_what_nobody_awaits_any_more_is_cancelled_and_the_rest_comes() -> None:
    answers, dropped, wanted = Answers(), Future[int](), Future[int]()
    first, second = await taken(answers, dropped), await taken(answers, wanted)
    first.cancel()
    await asyncio.wait({first})
    wanted.set_result(7)
    assert dropped.cancelled()
    assert await second == 7


@in_loop
async def test_work_that_was_cancelled_cancels_who_awaits_it() -> None:
    computed: Future[int] = Future()
    task = await taken(Answers(), computed)
    computed.cancel()
    await asyncio.wait({task}, timeout=20)
    assert task.cancelled()


def test_a_closed_loop_is_no_error_of_the_thread() -> None:
    computed: Future[int] = Future()

    async def run() -> None:
        await taken(Answers(), computed)
        computed.set_running_or_notify_cancel()  # as by a thread that has begun

    asyncio.run(run())
    computed.set_result(1)
