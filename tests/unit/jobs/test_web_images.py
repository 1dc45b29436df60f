from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from tests.unit.jobs.conftest import parts_of, png

from crossguard.bundle import Bundle
from crossguard.cli import run as main
from crossguard.data.writing import read_decisions
from crossguard.errors import ConfigError
from crossguard.jobs import web_images
from crossguard.jobs.run import score_files
from crossguard.jobs.summary import JobSummary
from crossguard.jobs.web_images import WebImages
from crossguard.records import Post

pytestmark = pytest.mark.usefixtures("inline")


class Media:
    """A server of images, which answers with what the test says.

    Attributes:
        origin: Its address.
        status: What it answers with, by path; 200 for others.
        asked: How often each path was asked for.
    """

    def __init__(self) -> None:
        self.status: dict[str, int] = {}
        self.asked = Counter[str]()
        media = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                media.asked[self.path] += 1
                body = png((20, 20))
                self.send_response(media.status.get(self.path, 200))
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                """Says nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.origin = f"http://127.0.0.1:{self.server.server_port}"


@pytest.fixture
def media(monkeypatch: pytest.MonkeyPatch) -> Iterator[Media]:
    monkeypatch.setattr(web_images, "_PAUSES", (0.0, 0.0))
    made = Media()
    Thread(target=made.server.serve_forever, daemon=True).start()
    yield made
    made.server.shutdown()
    made.server.server_close()


@pytest.fixture
def score(media: Media, tmp_path: Path, tiny_bundle: Bundle) -> Callable[..., JobSummary]:
    """Scores nine posts, of which every third has no image, into parts of three."""
    rows = [{"id": str(place), "text": f"hello {place}"} for place in range(9)]
    for place in (0, 1, 3, 4, 6, 7):
        rows[place]["image_path"] = f"{media.origin}/{place}.png"
    (tmp_path / "in.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))

    def call(out: str = "out", **settings: Any) -> JobSummary:
        how: dict[str, Any] = {"fetch_origins": [media.origin], "fetch_private": True, "unit_posts": 3, **settings}
        return score_files(tmp_path / "in.jsonl", tmp_path / out, model=tiny_bundle.folder, **how)

    return call


def errors_of(folder: Path) -> dict[str, str]:
    return {decision.id: decision.error.code for decision in read_decisions(folder) if decision.error}


@pytest.mark.parametrize("format_", ["jsonl", "csv", "parquet"])
def test_a_second_run_repeats_only_what_may_be_there_later(
    score: Callable[..., JobSummary], media: Media, tmp_path: Path, format_: str
) -> None:
    how: dict[str, Any] = {"format": format_, "keep": True}
    expected = score("whole", **how)
    media.status = {"/0.png": 404, "/1.png": 403, "/3.png": 302, "/4.png": 503, "/7.png": 429, "/6.png": 410}
    final = {"0": "image_gone", "1": "image_refused", "3": "image_refused", "6": "image_gone"}
    first = score(**how)
    assert errors_of(tmp_path / "out") == final | {"4": "image_retry_later", "7": "image_retry_later"}
    assert first.totals is not None
    assert (first.posts, first.totals.failed, first.totals.later) == (9, 6, 2)
    media.status["/4.png"] = 200
    media.asked.clear()
    second = score(resume=True, **how)
    assert media.asked == {"/4.png": 1, "/7.png": 2}
    assert errors_of(tmp_path / "out") == final | {"7": "image_retry_later"}
    assert second.totals is not None
    assert (second.done, second.previous, second.posts, second.totals.later) == (2, 1, 2, 1)
    media.status["/7.png"] = 404
    third = score(resume=True, **how)
    assert errors_of(tmp_path / "out") == final | {"7": "image_gone"}
    assert third.totals is not None
    assert (third.posts, third.totals.posts, third.totals.failed, third.totals.later) == (1, 9, 5, 0)
    assert len(parts_of(tmp_path / "out")) == 4
    assert expected.totals is not None
    assert expected.totals.failed == 0
    whole = {decision.id: decision for decision in read_decisions(tmp_path / "whole")}
    for decision in read_decisions(tmp_path / "out"):
        assert decision.input == whole[decision.id].input
        if decision.ok:
            assert decision.scores == pytest.approx(whole[decision.id].scores, abs=1e-6)
    assert score(resume=True, **how).done == 0


def test_nothing_is_fetched_unless_asked_for(score: Callable[..., JobSummary], media: Media, tmp_path: Path) -> None:
    assert score(fetch_origins=()).failed == {"image_url_not_allowed": 6}
    assert score("private", fetch_private=False).failed == {"image_url_not_allowed": 6}
    assert score("other", fetch_origins=["https://media.example.com"]).failed == {"image_url_not_allowed": 6}
    assert not media.asked
    with pytest.raises(ConfigError, match="is not an origin such as"):
        score("wrong", fetch_origins=["media.example.com"])


@pytest.mark.parametrize("url", ["https://[broken/x.jpg", "https://ex[am]ple/x", "http://\u2100/x"])
def test_an_address_that_is_none_fails_its_own_post_only(media: Media, url: str) -> None:
    posts = [Post("broken", "hello", url), Post("whole", "hello", f"{media.origin}/1.png")]
    broken, whole = WebImages([media.origin], private=True).fill(iter(posts))
    assert broken.error is not None
    assert broken.error.code == "image_url_not_allowed"
    assert isinstance(whole.image, bytes)


def test_a_column_of_addresses_is_read_where_they_are_fetched(
    media: Media, tmp_path: Path, tiny_bundle: Bundle
) -> None:
    rows = tmp_path / "in.jsonl"
    rows.write_text(json.dumps({"id": "1", "text": "hello", "image_url": f"{media.origin}/1.png"}) + "\n")
    how: dict[str, Any] = {"model": tiny_bundle.folder, "fetch_private": True}
    score_files(rows, tmp_path / "text", **how)
    assert not media.asked
    score_files(rows, tmp_path / "both", fetch_origins=[media.origin], **how)
    assert media.asked == {"/1.png": 1}
    alone, both = (next(iter(read_decisions(tmp_path / name))) for name in ("text", "both"))
    assert alone.scores != both.scores


def test_an_origin_that_is_down_is_left_alone(media: Media) -> None:
    images = WebImages([media.origin], private=True)
    media.server.shutdown()
    media.server.server_close()
    posts = [Post(str(place), "hello", f"{media.origin}/{place}.png") for place in range(200)]
    failed = [post.error for post in images.fill(iter(posts))]
    assert {error.code for error in failed if error} == {"image_retry_later"}
    assert len(failed) == 200
    assert failed[-1] is not None
    assert "The last 20 images of" in failed[-1].message


def test_the_command_says_that_posts_wait(
    media: Media, tmp_path: Path, tiny_bundle: Bundle, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "in.jsonl").write_text(json.dumps({"id": "1", "image_path": f"{media.origin}/1.png"}) + "\n")
    media.status["/1.png"] = 500
    command = ["score", f"{tmp_path}/in.jsonl", "-o", f"{tmp_path}/out/", "--model", str(tiny_bundle.folder)]
    command += ["--fetch-origin", media.origin, "--fetch-private"]
    assert main(command) == 10
    assert "Waiting for images: 1 post; --resume tries again" in capsys.readouterr().err
    media.status.clear()
    assert main([*command, "--resume"]) == 0
