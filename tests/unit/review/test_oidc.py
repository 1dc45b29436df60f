"""Logging in through an OpenID provider that runs beside the test."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

import httpx2
import pytest
from joserfc.jwk import RSAKey
from starlette.responses import Response
from starlette.testclient import TestClient
from tests.support import oidc
from tests.support.oidc import CLIENT, SECRET, Provider, running_provider
from tests.unit.review.conftest import person

from crossguard.review.console import Console
from crossguard.review.pages.app import create_app
from crossguard.review.roles import Role
from crossguard.review.settings import ReviewSettings, gather
from crossguard.review.store import people
from crossguard.review.store.database import Database

ROLES = "trust-and-safety=lead,moderators=reviewer"


@pytest.fixture(scope="module")
def shared() -> Iterator[Provider]:
    with running_provider() as running:
        yield running


@pytest.fixture
def provider(shared: Provider, monkeypatch: pytest.MonkeyPatch) -> Provider:
    monkeypatch.setattr(shared, "claims", dict(shared.claims))
    for name in ("signing", "user_info", "published", "discovery"):
        monkeypatch.setattr(shared, name, getattr(shared, name))  # as it is now, once the test is over
    return shared


@pytest.fixture
def engine() -> str:
    return "sqlite"


@pytest.fixture
def settings(provider: Provider) -> ReviewSettings:
    environment = {
        "CROSSGUARD_REVIEW_OIDC_ISSUER": provider.issuer,
        "CROSSGUARD_REVIEW_OIDC_CLIENT_ID": CLIENT,
        "CROSSGUARD_REVIEW_OIDC_CLIENT_SECRET": SECRET,
    }
    return gather({"model": "none", "oidc_roles": ROLES}, environment, None)


@pytest.fixture
def client(console: Console) -> TestClient:
    return TestClient(create_app(console), base_url="http://testserver", follow_redirects=False)


def come_back(client: TestClient) -> httpx2.Response:
    """Goes to the provider and comes back; returns the console's answer."""
    begun = client.get("/oidc/login", params={"next": "/me"})
    assert begun.status_code == 303, begun.text
    back = urlsplit(httpx2.get(begun.headers["location"]).headers["location"])
    return client.get(f"{back.path}?{back.query}")


def known(database: Database) -> list[tuple[str, Role]]:
    with database.read() as db:
        return [(entry.name, entry.role) for entry in people.everybody(db)]


def test_a_group_becomes_a_role_and_follows_changes(client: TestClient, database: Database, provider: Provider) -> None:
    assert f"Log in with {urlsplit(provider.issuer).netloc}" in client.get("/login").text
    answer = come_back(client)
    assert (answer.status_code, answer.headers["location"]) == (303, "/me")
    assert "My answers" in client.get("/me").text
    assert known(database) == [("Ann", Role.REVIEWER)]
    provider.claims |= {"groups": ["moderators", "trust-and-safety"], "preferred_username": "Ann B."}
    assert come_back(client).status_code == 303
    assert known(database) == [("Ann", Role.LEAD)], "the same person, whatever they are called now"
    provider.claims["groups"] = ["accounting"]
    refused = come_back(client)
    assert refused.status_code == 403
    assert "trust-and-safety, moderators" in refused.text


def test_a_name_is_never_taken_over(client: TestClient, database: Database) -> None:
    person(database, "Ann", Role.ADMIN)
    assert come_back(client).status_code == 303
    assert known(database) == [("Ann", Role.ADMIN), ("Ann 2", Role.REVIEWER)]


def test_names_and_groups_that_only_user_info_has_are_found(
    client: TestClient, database: Database, provider: Provider
) -> None:
    more = {"name": "Ann", "preferred_username": None, "groups": ["moderators"]}
    provider.claims = {"sub": "s-1", "name": "Ann of the token", "preferred_username": None}
    provider.user_info = more | {"sub": "somebody else"}
    refused = come_back(client)
    assert refused.status_code == 403
    assert "/userinfo is about somebody else" in refused.text
    provider.user_info = more | {"sub": "s-1"}
    assert come_back(client).status_code == 303
    assert known(database) == [("Ann of the token", Role.REVIEWER)], "what is signed wins"
    provider.claims, provider.user_info = {"sub": "s-2", "groups": ["moderators"]}, {"sub": "s-2", "name": "Ben"}
    assert come_back(client).status_code == 303
    assert known(database)[1:] == [("Ben", Role.REVIEWER)]


@pytest.mark.parametrize(
    "answer",
    [
        Response(status_code=401),
        Response(status_code=503),
        Response("a.signed.answer", media_type="application/jwt"),
    ],
    ids=["refuses", "is away", "signs"],
)
def test_only_a_role_that_user_info_would_have_given_keeps_somebody_out(
    client: TestClient, database: Database, provider: Provider, caplog: pytest.LogCaptureFixture, answer: Response
) -> None:
    provider.claims, provider.user_info = {"sub": "s-1", "groups": ["moderators"], "preferred_username": None}, answer
    assert come_back(client).status_code == 303
    assert known(database) == [("s-1", Role.REVIEWER)]
    assert f"{provider.issuer}/userinfo " in caplog.text
    provider.claims = {"sub": "s-1", "preferred_username": "Ann"}
    refused = come_back(client)
    assert refused.status_code == 409
    assert f"{provider.issuer}/userinfo " in refused.text


def test_a_secret_goes_in_the_form_where_the_provider_reads_only_that(client: TestClient, provider: Provider) -> None:
    provider.published = {"token_endpoint_auth_methods_supported": ["client_secret_post"]}
    assert come_back(client).status_code == 303


def test_a_secret_that_is_refused_is_told(
    database: Database, settings: ReviewSettings, caplog: pytest.LogCaptureFixture
) -> None:
    wrong = settings.model_copy(update={"oidc_client_secret": "wrong"})
    answer = come_back(TestClient(create_app(Console(wrong, database)), follow_redirects=False))
    assert answer.status_code == 409
    told = "The provider refuses this console&#39;s client id or secret. Correct --oidc-client-id or "
    assert told in answer.text
    assert "client id or secret" in caplog.text


def test_one_key_at_two_providers_is_two_people(
    client: TestClient, database: Database, settings: ReviewSettings
) -> None:
    come_back(client)
    with running_provider() as other:
        moved = settings.model_copy(update={"oidc_issuer": other.issuer})
        come_back(TestClient(create_app(Console(moved, database)), follow_redirects=False))
    assert [name for name, _ in known(database)] == ["Ann", "Ann 2"]


def test_who_was_put_out_stays_out(client: TestClient, database: Database) -> None:
    come_back(client)
    with database.write() as tx:
        people.change(tx, people.by_name(tx, "Ann")[0].id, active=False)
    assert come_back(client).status_code == 403


@pytest.mark.parametrize("claims", [{"aud": "another"}, {"nonce": "old"}, {"iss": "http://evil.example"}, {"exp": 1}])
def test_tokens_for_others_or_of_yesterday_are_refused(
    client: TestClient, database: Database, provider: Provider, claims: dict[str, object]
) -> None:
    provider.claims |= claims
    assert come_back(client).status_code == 403
    assert known(database) == []


def test_a_token_that_somebody_else_signed_is_refused(
    client: TestClient, database: Database, provider: Provider
) -> None:
    provider.signing = RSAKey.generate_key(2048, parameters={"kid": "one"})
    assert come_back(client).status_code == 403
    assert known(database) == []


def test_an_answer_that_this_browser_did_not_ask_for_is_refused(client: TestClient, database: Database) -> None:
    assert client.get("/oidc/callback?code=x&state=y").status_code == 403
    client.get("/oidc/login")
    assert client.get("/oidc/callback?code=x&state=y").status_code == 403
    assert "did not log you in" in client.get("/oidc/callback?error=access_denied").text
    assert known(database) == []


def test_any_cookie_of_a_browser_can_be_read(client: TestClient) -> None:
    for kept in ("[1,2,3,%22/%22]", "%5B" * 5000, "a%20b%20c%20/"):
        client.cookies.set("crossguard_review_oidc", kept)
        assert client.get("/oidc/callback?code=x&state=y").status_code == 403


def test_a_provider_that_does_not_say_where_to_log_in_is_told(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(oidc.PLACES, "authorization_endpoint")
    answer = client.get("/oidc/login")
    assert answer.status_code == 409
    assert "openid-configuration does not say authorization_endpoint" in answer.text


def test_a_wrong_issuer_is_no_outage(client: TestClient, provider: Provider) -> None:
    provider.discovery = Response(status_code=404)
    answer = client.get("/oidc/login")
    assert answer.status_code == 409
    assert f"{provider.issuer}/.well-known/openid-configuration answered 404. Correct --oidc-issuer." in answer.text


def test_an_issuer_that_does_not_speak_tls_is_told(
    provider: Provider, database: Database, settings: ReviewSettings
) -> None:
    wrong = settings.model_copy(update={"oidc_issuer": provider.issuer.replace("http:", "https:")})
    answer = TestClient(create_app(Console(wrong, database)), follow_redirects=False).get("/oidc/login")
    assert answer.status_code == 409
    assert "cannot be read through TLS" in answer.text
    assert "Correct --oidc-issuer." in answer.text


def test_a_provider_that_is_away_is_told(database: Database, settings: ReviewSettings) -> None:
    away = settings.model_copy(update={"oidc_issuer": "http://127.0.0.1:1"})
    client = TestClient(create_app(Console(away, database)), base_url="http://testserver", follow_redirects=False)
    answer = client.get("/oidc/login")
    assert answer.status_code == 409
    assert "cannot be reached" in answer.text
