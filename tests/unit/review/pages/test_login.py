"""Logging in, one-time links, and being put out."""

from __future__ import annotations

import pytest
from starlette.testclient import TestClient
from tests.unit.review.pages.conftest import PASSWORD, log_in

from crossguard.review import passwords
from crossguard.review.console import Console
from crossguard.review.pages import login
from crossguard.review.pages.app import create_app
from crossguard.review.roles import Role
from crossguard.review.store import people


def test_a_wrong_password_is_refused_and_guessing_is_slowed_down(client: TestClient, console: Console) -> None:
    log_in(client, console)
    client.cookies.clear()
    answers = [client.post("/login", data={"name": "ann", "password": f"guess {n}"}) for n in range(11)]
    assert [answer.status_code for answer in answers] == [422] * 10 + [429]
    assert client.post("/login", data={"name": "Ann", "password": PASSWORD}).status_code == 429
    with console.database.write() as tx:
        token = people.invite(tx, Role.REVIEWER, console.now(), "Ann")
    client.post(f"/join/{token}", data={"password": PASSWORD, "again": PASSWORD})
    client.cookies.clear()
    assert (
        "My answers" in client.post("/login", params={"next": "/me"}, data={"name": "Ann", "password": PASSWORD}).text
    )
    nobody = client.post("/login", data={"name": "Zoe", "password": PASSWORD})
    assert "The name or the password is wrong." in nobody.text
    assert 'name="name" value="Zoe"' in nobody.text, "what was typed stays"


def test_guessing_from_many_addresses_of_one_network_is_slowed_down(console: Console) -> None:
    """One client of IPv6 may have 2**64 of them, and would lock Ann out everywhere."""

    def post(host: str, password: str) -> int:
        client = TestClient(create_app(console), client=(host, 50_000))
        return client.post("/login", data={"name": "Ann", "password": password}).status_code

    log_in(TestClient(create_app(console)), console)
    assert [post(f"2001:db8::{number:x}", f"guess {number}") for number in range(11)] == [422] * 10 + [429]
    assert post("2001:db8:0:1::1", PASSWORD) == 200


def test_logging_in_never_leads_elsewhere(client: TestClient, console: Console) -> None:
    log_in(client, console)
    for target in ("https://evil.example", "//evil.example", "/\\evil.example", "/%0d%0aset-cookie: a=b"):
        answer = client.post(
            "/login", params={"next": target}, data={"name": "Ann", "password": PASSWORD}, follow_redirects=False
        )
        assert answer.headers["location"].startswith("/")
        assert not answer.headers["location"].startswith(("//", "/\\"))


def test_a_monitor_that_asks_by_head_tries_no_password(client: TestClient, console: Console) -> None:
    for _ in range(12):
        assert client.head("/").status_code == 200
    with console.database.write() as tx:
        token = people.invite(tx, Role.REVIEWER, console.now())
    assert client.head(f"/join/{token}").status_code == 200


def test_a_link_works_once(client: TestClient, console: Console) -> None:
    with console.database.write() as tx:
        token = people.invite(tx, Role.LEAD, console.now())
    form = {"name": "Lea", "password": PASSWORD, "again": PASSWORD}
    short = client.post(f"/join/{token}", data=form | {"password": "short", "again": "short"})
    assert "10 to 200 characters" in short.text
    assert 'name="name" value="Lea"' in short.text, "what was typed stays"
    with console.database.write() as tx:
        people.add(tx, "Mia", Role.REVIEWER, console.now())
    taken = client.post(f"/join/{token}", data=form | {"name": "mia"})
    assert (taken.status_code, 'name="name" value="mia"' in taken.text) == (409, True)
    assert "The name &#39;mia&#39; is taken. Choose another." in taken.text
    assert client.post(f"/join/{token}", data=form).status_code == 200
    client.cookies.clear()
    assert client.post(f"/join/{token}", data=form | {"name": "Mia"}).status_code == 404


def test_nothing_is_hashed_for_a_link_that_nobody_got(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    hashed: list[str] = []
    monkeypatch.setattr(login, "hash_password", hashed.append)
    answer = client.post("/join/nonsense", data={"name": "Lea", "password": PASSWORD, "again": PASSWORD})
    assert (answer.status_code, hashed) == (404, [])


def test_who_finds_no_place_to_have_a_password_hashed_is_told_and_not_counted(
    client: TestClient, console: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those who wait hold the threads that answer all pages."""
    log_in(client, console)
    client.cookies.clear()
    monkeypatch.setattr(passwords, "_TAKEN", ["elsewhere"] * passwords.PLACES)
    for _ in range(20):
        answer = client.post("/login", data={"name": "Ann", "password": PASSWORD})
        assert answer.status_code == 429
        assert "Too many people are logging in at this moment. Try again in a few seconds." in answer.text
    monkeypatch.setattr(passwords, "_TAKEN", [])
    assert client.post("/login", data={"name": "Ann", "password": PASSWORD}).status_code == 200


def test_after_logging_out_the_cookie_is_worth_nothing(client: TestClient, console: Console) -> None:
    csrf = log_in(client, console)
    kept = dict(client.cookies)
    assert "My answers" in client.get("/me").text
    client.post("/logout", data={"csrf": csrf})
    assert not client.cookies
    client.cookies.update(kept)
    assert "My answers" not in client.get("/me").text


def test_somebody_who_is_put_out_is_out_at_once(client: TestClient, console: Console) -> None:
    log_in(client, console)
    with console.database.write() as tx:
        person, _ = people.by_name(tx, "Ann")
        people.change(tx, person.id, active=False)
    assert client.get("/me", follow_redirects=False).status_code == 303
