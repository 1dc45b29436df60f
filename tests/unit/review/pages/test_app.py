"""All pages without a browser: who may do what, forms from elsewhere, hostile content, a database that is away."""

from __future__ import annotations

import asyncio
import re

import pytest
from starlette.testclient import TestClient
from starlette.types import Receive, Scope, Send
from tests.support.review import submission
from tests.unit.review.conftest import NOW
from tests.unit.review.pages.conftest import ON_BOTH, PASSWORD, log_in

from crossguard.review.console import Console
from crossguard.review.pages import app
from crossguard.review.roles import Role
from crossguard.review.store import keys
from crossguard.review.store.database import Database


@ON_BOTH
def test_every_page_answers(client: TestClient, console: Console) -> None:
    token = log_in(client, console, role=Role.ADMIN)
    texts = ["buy now at http://a.example", "buy NOW at http://b.example", "other words entirely", "more of the rest"]
    console.intake.take([submission(str(i), text, author="a", language="en") for i, text in enumerate(texts)], NOW)
    console.intake.take([submission("9", "reported", report={"reporter": "r", "reason": "rude"})], NOW)
    filters = [
        "", "?order=uncertain", "?order=random", "?label=racist", "?label=sexist", "?kind=report", "?source=api",
        "?language=en", "?author=a", "?score_from=0.1&score_to=0.9", "?since=2020-01-01&until=2099-01-01",
        "?after=-1e9:0",
    ]  # fmt: skip
    found = {query: client.get(f"/queues/main{query}").text.count('<a href="/items/') for query in filters}
    assert found == dict.fromkeys(filters, 5) | {
        "?label=sexist": 0, "?kind=report": 1, "?language=en": 4, "?author=a": 4, "?after=-1e9:0": 0,
    }  # fmt: skip
    assert "2 alike" in client.get("/queues/main").text
    item = client.post("/queues/main/next?author=a", data={"csrf": token, "author": "a"})
    assert "Near-duplicates that wait too" in item.text
    assert "<details open><summary>Compare" in item.text, "what another one says besides is seen before it is decided"
    form = {"csrf": token, "action": "block", "label.racist": "yes", "submission": "s1", "alike": "all", "counted": "2"}
    assert "Your last answer: block on 2 items." in client.post("/items/1/vote", data=form).text
    with console.database.read() as db:
        assert db.exec_driver_sql("SELECT count(*) FROM items WHERE state = 'decided'").scalar_one() == 2
    for path in ("/", "/me", "/quality", "/log", "/people", "/items/1", "/log?item=1"):
        assert client.get(path).status_code == 200, path
    assert client.post("/items/1/gold", data={"csrf": token}).status_code == 200
    assert "golden item of this post already" in client.post("/items/1/gold", data={"csrf": token}).text
    assert client.post("/undo", data={"csrf": token, "submission": "s1"}).status_code == 200
    # Four posts of the author, and the golden copy of one.
    assert "The content of 5 items was erased" in client.post("/people/erase", data={"csrf": token, "author": "a"}).text


def test_every_time_says_once_that_it_is_one_of_utc(client: TestClient, console: Console) -> None:
    token = log_in(client, console, role=Role.ADMIN)
    console.intake.take([submission("1", posted_at=NOW), submission("2", report={"reporter": "r"})], NOW)
    client.post("/items/1/claim", data={"csrf": token})
    client.post("/items/1/vote", data={"csrf": token, "action": "block", "label.racist": "yes", "submission": "s1"})
    client.post("/people/keys", data={"csrf": token, "name": "forum"})
    for path in ("/items/1", "/items/2", "/me", "/log", "/quality", "/people"):
        page = client.get(path).text
        times = len(re.findall(r"\d{4}-\d\d-\d\d \d\d:\d\d UTC", page))
        assert times == len(re.findall(r"\d\d:\d\d", page)) == page.count("UTC") > 0, path
    assert client.get("/queues/main").text.count("(UTC)") == 2, "the days of the filters"


def test_hostile_content_is_shown_as_text(client: TestClient, console: Console) -> None:
    token = log_in(client, console)
    text = "<script>alert(1)</script><img src=x onerror=alert(2)> \u202egnp.exe {{ 7*7 }}"
    console.intake.take([submission("1", text, author="<b>a</b>")], NOW)
    client.post("/me/switches", data={"csrf": token, "show_text": "on"})
    client.post("/queues/main/next", data={"csrf": token})
    for path in ("/items/1", "/queues/main"):
        page = client.get(path).text
        assert "<script>alert" not in page
        assert "<img src=x" not in page
        assert "\u202e" not in page
        assert "{{ 7*7 }}" in page


def test_no_inline_script_and_nothing_from_elsewhere(client: TestClient, console: Console) -> None:
    token = log_in(client, console, role=Role.ADMIN)
    console.intake.take([submission("1")], NOW)
    client.post("/queues/main/next", data={"csrf": token})
    for path in ("/", "/queues/main", "/items/1", "/me", "/people", "/log", "/quality", "/login"):
        answer = client.get(path)
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert answer.headers["cache-control"] == "no-store"
        assert not re.search(r"<script(?![^>]*src=)|\son\w+=|style=|https?://", answer.text), path


def test_a_database_that_is_away_is_told(client: TestClient, console: Console, tmp_path: object) -> None:
    token = log_in(client, console)
    console.database.engine.dispose()
    console.database = Database.open(f"{tmp_path}/other.sqlite")
    with console.database.write() as tx:
        tx.exec_driver_sql("DROP TABLE sessions")
    answer = client.post("/me/switches", data={"csrf": token})
    assert answer.status_code == 503
    assert "The database is away" in answer.text
    with console.database.write() as tx:
        tx.exec_driver_sql("DROP TABLE keys")
    called = client.post("/api/items", json={}, headers={"authorization": "Bearer k"})
    assert (called.status_code, called.headers["retry-after"]) == (503, "5")
    assert called.json()["error"]["message"].endswith("of this call nothing was. Send it again in a moment.")
    console.database.close()


@ON_BOTH
def test_what_no_database_compares_with_is_no_outage(client: TestClient, console: Console) -> None:
    token = log_in(client, console, role=Role.ADMIN)
    assert client.get("/queues/main?source=%00").status_code in {200, 422}
    assert client.post("/queues/main/next", data={"csrf": token, "author": "a\0"}).status_code == 200


def test_forms_are_small_and_bodies_of_programs_are_not(client: TestClient, console: Console) -> None:
    large = {"name": "x" * app.FORM_BYTES, "password": PASSWORD}
    refused = client.post("/login", data=large)
    assert (refused.status_code, "more than 131,072 bytes" in refused.text) == (413, True)
    with console.database.write() as tx:
        key = keys.add(tx, "serve", NOW)
    taken = client.post("/api/items", json=large, headers={"authorization": f"Bearer {key}"})
    assert taken.status_code == 422, "it is read, and is no posts"


def test_who_does_not_end_a_body_is_not_waited_for(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(app, "BODY_S", 0.0)

    async def slow(scope: Scope, _: Receive, send: Send) -> None:
        await client.app(scope, asyncio.get_running_loop().create_future, send)  # nothing ever comes

    answer = TestClient(slow, raise_server_exceptions=False).post("/login", data={"name": "Ann"})
    assert (answer.status_code, "smaller parts" in answer.text) == (408, True)
