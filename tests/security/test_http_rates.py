"""Rates: nobody gets more posts scored in a minute than allowed, however the posts are packed."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx2
import pytest
import yaml
from tests.support.raw_http import HEAD, connect
from tests.support.server import RunningServer

from crossguard.bundle import Bundle
from crossguard.serving.keys import digest_of, new_key

PER_MINUTE = 60


def hammer(server: RunningServer, key: str | None) -> list[httpx2.Response]:
    """Sends 40 batches of 50 posts, sixteen at a time."""
    headers = {"authorization": f"Bearer {key}"} if key else {}

    def ask(_: int) -> httpx2.Response:
        with server.client(headers=headers) as client:
            return client.post("/v1/score/batch", json={"posts": [{"text": "hello"}] * 50})

    with ThreadPoolExecutor(16) as pool:
        return list(pool.map(ask, range(40)))


def scored(answers: list[httpx2.Response]) -> int:
    assert {answer.status_code for answer in answers} <= {200, 429}
    return sum(len(answer.json()["results"]) for answer in answers if answer.status_code == 200)


@pytest.fixture(scope="module")
def keys() -> dict[str, str]:
    return {name: new_key() for name in ("batches", "large", "early", "free", "long")}


@pytest.fixture(scope="module")
def server(
    tiny_bundle: Bundle, tmp_path_factory: pytest.TempPathFactory, keys: dict[str, str]
) -> Iterator[RunningServer]:
    file = tmp_path_factory.mktemp("rates") / "keys.yaml"
    entries = {name: {"sha256": digest_of(key), "posts_per_minute": PER_MINUTE} for name, key in keys.items()}
    file.write_text(yaml.safe_dump({"keys": entries}))
    with RunningServer(tiny_bundle.folder, drain_s=0, keys_file=file) as running:
        yield running


def test_batches_and_connections_do_not_get_round_the_rate(server: RunningServer, keys: dict[str, str]) -> None:
    answers = hammer(server, keys["batches"])
    assert 1 <= scored(answers) <= PER_MINUTE
    for answer in answers:
        if answer.status_code == 429:
            assert 1 <= int(answer.headers["retry-after"]) <= 60


def test_without_keys_each_client_address_has_the_rate(tiny_bundle: Bundle) -> None:
    with RunningServer(tiny_bundle.folder, drain_s=0, posts_per_minute=PER_MINUTE) as unkeyed:
        counted = scored(hammer(unkeyed, None))
        assert 1 <= counted <= PER_MINUTE
        found = []
        with unkeyed.client() as client:
            for number in range(PER_MINUTE):  # a header that anybody can send is no address
                headers = {"x-forwarded-for": f"9.9.9.{number}", "forwarded": f"for=9.9.9.{number}"}
                found.append(client.post("/v1/score", json={"text": "hello"}, headers=headers).status_code)
        assert found == sorted(found)
        assert found.count(200) == PER_MINUTE - counted


def test_more_posts_than_a_minute_holds_are_refused_for_good(server: RunningServer, keys: dict[str, str]) -> None:
    with server.client(headers={"x-api-key": keys["large"]}) as client:
        answer = client.post("/v1/score/batch", json={"posts": [{"text": "hello"}] * (PER_MINUTE + 1)})
        assert (answer.status_code, answer.json()["error"]["code"]) == (413, "too_many_posts")
        assert "retry-after" not in answer.headers
        assert client.post("/v1/score", json={"text": "hello"}).status_code == 200


def test_a_caller_over_its_rate_is_refused_before_its_body_is_read(server: RunningServer, keys: dict[str, str]) -> None:
    with server.client(headers={"x-api-key": keys["early"]}) as client:
        for _ in range(PER_MINUTE):
            client.post("/v1/score", content=b"{", headers={"content-type": "application/json"})
    with connect(server) as connection:
        begun = time.monotonic()
        connection.sendall(HEAD + b"x-api-key: " + keys["early"].encode() + b"\r\ncontent-length: 1000000\r\n\r\n")
        assert connection.recv(64).startswith(b"HTTP/1.1 429")
        assert time.monotonic() - begun < 10


def test_what_scores_nothing_costs_no_posts(server: RunningServer, keys: dict[str, str]) -> None:
    with server.client(headers={"x-api-key": keys["free"]}) as client:
        for path in ("/metrics", "/v1/models", "/healthz"):
            for _ in range(PER_MINUTE // 2):
                assert client.get(path).status_code == 200
        assert client.post("/v1/score", json={"text": "hello"}).status_code == 200


def test_a_long_text_counts_as_the_windows_that_it_fills(server: RunningServer, keys: dict[str, str]) -> None:
    with server.client(headers={"x-api-key": keys["long"]}) as client:
        longest = {"text": "good morning " * 5000}
        assert client.post("/v1/score", json=longest).status_code == 200
        refused = client.post("/v1/score", json=longest)
        assert (refused.status_code, refused.json()["error"]["code"]) == (429, "rate_limit_exceeded")
        assert "long texts" in refused.json()["error"]["message"]
        assert 1 <= int(refused.headers["retry-after"]) <= 60
        assert client.post("/v1/score", json={"text": "hello"}).status_code == 200
        batch = client.post("/v1/score/batch", json={"posts": [longest, longest]})
        assert (batch.status_code, batch.json()["error"]["code"]) == (413, "too_many_posts")


def test_a_single_post_is_never_larger_than_the_rate(tiny_bundle: Bundle) -> None:
    with RunningServer(tiny_bundle.folder, drain_s=0, posts_per_minute=5) as slow, slow.client() as client:
        assert client.post("/v1/score", json={"text": "good morning " * 5000}).status_code == 200
        assert client.post("/v1/score", json={"text": "hello"}).status_code == 429
