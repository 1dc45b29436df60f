from __future__ import annotations

from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import httpx2
import openai
import pytest
import yaml
from tests.support.server import RunningServer
from tests.support.site import running_site

from crossguard.bundle import Bundle
from crossguard.serving.keys import digest_of, new_key

SECRET = "qzxv friends"  # noqa: S105 - words of a post that must not be found in a log


class Guarded:
    """A server with keys, tenants, rates, small caps and one allowed origin."""

    def __init__(self, folder: Path, bundle: Bundle, origin: str) -> None:
        self.keys = {name: new_key() for name in ("plain", "strict", "slow", "admin")}
        policy = folder / "policy.yaml"
        overrides = {label: {"threshold": 0.0, "review": 0.0} for label in bundle.labels.names}
        policy.write_text(yaml.safe_dump({"name": "feed", "version": "3", "tenants": {"kids": overrides}}))
        entries: dict[str, dict[str, Any]] = {name: {"sha256": digest_of(key)} for name, key in self.keys.items()}
        entries["strict"] |= {"policy": str(policy), "tenant": "kids"}
        entries["slow"] |= {"posts_per_minute": 5}
        entries["admin"] |= {"admin": True}
        self.keys_file = folder / "keys.yaml"
        self.keys_file.write_text(yaml.safe_dump({"keys": entries}))
        self.server = RunningServer(
            bundle.folder,
            environment={"CROSSGUARD_PROT": "1"},
            keys_file=self.keys_file,
            drain_s=0,
            max_body_bytes=200_000,
            max_pixels=1_000_000,
            max_posts=20,
            fetch_origins=origin,
            fetch_private="true",
            log_level="debug",
        )

    def client(self, name: str) -> httpx2.Client:
        return self.server.client(headers={"authorization": f"Bearer {self.keys[name]}"})


class Media(BaseHTTPRequestHandler):
    """A site with an image, a redirect, and something endless."""

    image = b""

    def do_GET(self) -> None:
        if self.path == "/redirect.png":
            self.send_response(302)
            self.send_header("location", "/red.png")
            self.end_headers()
        elif self.path == "/red.png":
            self.send_response(200)
            self.end_headers()
            self.wfile.write(self.image)
        else:
            self.send_error(404)


@pytest.fixture(scope="module")
def media(red: bytes) -> Iterator[str]:
    Media.image = red
    with running_site(Media) as address:
        yield address


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory, tiny_bundle: Bundle, media: str) -> Iterator[Guarded]:
    made = Guarded(tmp_path_factory.mktemp("guarded"), tiny_bundle, media)
    with made.server:
        yield made


SCORING = ["/v1/score", "/v1/score/batch", "/v1/moderations", "/v1alpha1/comments:analyze", "/invocations"]


@pytest.mark.parametrize("path", [*SCORING, "/v1/admin/reload"])
@pytest.mark.parametrize("key", [None, "cg-wrong"])
def test_nothing_is_scored_without_a_key(guarded: Guarded, path: str, key: str | None) -> None:
    headers = {"authorization": f"Bearer {key}"} if key else {}
    with guarded.server.client(headers=headers) as client:
        answer = client.post(path, json={})
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize("path", ["/metrics", "/v1/models"])
def test_what_tells_about_traffic_needs_a_key(guarded: Guarded, path: str) -> None:
    with guarded.server.client() as client, guarded.client("plain") as known:
        assert client.get(path).status_code == 401
        assert known.get(path).status_code == 200


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/ping", "/openapi.json", "/docs"])
def test_health_and_documentation_do_not(guarded: Guarded, path: str) -> None:
    with guarded.server.client() as client:
        assert client.get(path).status_code == 200


def test_a_key_is_taken_from_where_clients_put_it(guarded: Guarded) -> None:
    key = guarded.keys["plain"]
    with guarded.server.client() as client:
        body = {"comment": {"text": "hello"}, "requestedAttributes": {"IDENTITY_ATTACK": {}}}
        assert client.post("/v1alpha1/comments:analyze", params={"key": key}, json=body).status_code == 200
        assert client.post("/v1/score", headers={"x-api-key": key}, json={"text": "hello"}).status_code == 200
    assert not any(key in line for line in guarded.server.lines)


def test_the_openai_client_sees_a_wrong_key(guarded: Guarded) -> None:
    transport = openai.DefaultHttpxClient(trust_env=False)
    with (
        openai.OpenAI(base_url=f"{guarded.server.url}/v1", api_key="no", http_client=transport) as client,
        pytest.raises(openai.AuthenticationError),
    ):
        client.moderations.create(input="hello")


def test_a_tenant_is_decided_under_its_own_thresholds(guarded: Guarded) -> None:
    with guarded.client("plain") as plain, guarded.client("strict") as strict:
        usual = plain.post("/v1/score", json={"text": "hello you"}).json()
        own = strict.post("/v1/score", json={"text": "hello you"}).json()
    assert usual["policy"] == "default"
    assert own["policy"] == "feed:kids"
    assert own["policy_version"].startswith("3+")
    assert own["flags"] == list(own["labels"])
    assert {name: label["score"] for name, label in own["labels"].items()} == {
        name: label["score"] for name, label in usual["labels"].items()
    }


def test_a_rate_counts_posts_and_says_when_to_come_back(guarded: Guarded) -> None:
    with guarded.client("slow") as client:
        posts = {"posts": [{"text": "hello"}] * 5}
        assert client.post("/v1/score/batch", json=posts).status_code == 200
        refused = client.post("/v1/score", json={"text": "hello"})
    assert refused.status_code == 429
    assert 1 <= int(refused.headers["retry-after"]) <= 60
    assert refused.json()["error"]["code"] == "rate_limit_exceeded"
    with guarded.client("plain") as other:
        assert other.post("/v1/score", json={"text": "hello"}).status_code == 200


def test_only_an_admin_reloads(guarded: Guarded) -> None:
    with guarded.client("plain") as plain, guarded.client("admin") as admin:
        assert plain.post("/v1/admin/reload").status_code == 403
        assert admin.post("/v1/admin/reload").json() == {"status": "reloaded"}


def test_a_wrong_keys_file_does_not_take_the_service_down(guarded: Guarded) -> None:
    content = guarded.keys_file.read_text()
    with guarded.client("admin") as admin:
        guarded.keys_file.write_text("keys: nobody")
        refused = admin.post("/v1/admin/reload")
        guarded.keys_file.write_text(content)
        assert refused.status_code == 400
        assert refused.json()["error"]["code"] == "reload_failed"
        assert admin.post("/v1/score", json={"text": "hello"}).status_code == 200


def test_bodies_are_capped_with_and_without_a_length(guarded: Guarded) -> None:
    def chunks() -> Iterator[bytes]:
        for _ in range(30):
            yield b"x" * 10_000

    with guarded.client("plain") as client:
        for content in (b"x" * 300_000, chunks()):
            answer = client.post("/v1/score", content=content, headers={"content-type": "application/json"})
            assert answer.status_code == 413
            assert answer.json()["error"]["code"] == "body_too_large"
        assert client.post("/v1/score/batch", json={"posts": [{"text": "a"}] * 21}).status_code == 413
        packed = client.post("/v1/score", content=b"x", headers={"content-encoding": "gzip"})
        assert packed.status_code == 415


def test_a_picture_of_too_many_pixels_is_refused_before_it_is_decoded(guarded: Guarded, bomb_url: str) -> None:
    with guarded.client("plain") as client:
        answer = client.post("/v1/score", json={"image": bomb_url})
    assert answer.json()["error"]["code"] == "image_too_many_pixels"


def test_an_allowed_origin_is_fetched_and_nothing_else(guarded: Guarded, media: str, red_url: str) -> None:
    with guarded.client("plain") as client:

        def ask(url: str) -> dict[str, Any]:
            body: dict[str, Any] = client.post("/v1/score", json={"image": url}).json()
            return body

        assert ask(f"{media}/red.png") == ask(red_url)
        assert ask(f"{media}/redirect.png")["error"]["code"] == "image_fetch_failed"
        assert ask(f"{media}/none.png")["error"]["code"] == "image_fetch_failed"
        for url in (media.replace("127.0.0.1", "localhost"), guarded.server.url, "http://169.254.169.254/latest"):
            assert ask(f"{url}/red.png")["error"]["code"] == "image_url_not_allowed"


def test_a_log_line_has_an_id_and_nothing_of_the_post(guarded: Guarded) -> None:
    with guarded.client("plain") as client:
        client.post("/v1/score", json={"text": SECRET}, headers={"x-request-id": "trace-1"})
        client.post("/v1/score", json={"text": SECRET, "extra": SECRET})
        client.post("/v1/score", json={"image": "data:image/png;base64,qzxv"})
        odd = client.get("/healthz", headers={"x-request-id": "a b\tc"})
    assert odd.headers["x-request-id"].isalnum()
    logged = next(entry for entry in guarded.server.events if entry.get("request_id") == "trace-1")
    assert logged["caller"] == "plain"
    assert not any("qzxv" in line for line in guarded.server.lines)


def test_a_misspelt_variable_is_warned_about(guarded: Guarded) -> None:
    assert "CROSSGUARD_PORT" in guarded.server.wait_for("unread_variable")["message"]


def test_the_server_does_not_say_what_it_is(client: httpx2.Client) -> None:
    for path in ("/healthz", "/nothing"):
        headers = client.get(path).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert "server" not in headers
