"""Queues, their lists, and the limit of a day."""

from __future__ import annotations

import re

from starlette.testclient import TestClient
from tests.support.review import submission
from tests.unit.review.conftest import NOW
from tests.unit.review.pages.conftest import log_in

from crossguard.review.console import Console
from crossguard.review.intake import Intake
from crossguard.review.store import people


def test_queues_are_for_those_whose_they_are(client: TestClient, console: Console) -> None:
    token = log_in(client, console)
    console.intake.take([submission("1"), submission("2", queue="escalated")], NOW)
    with console.database.write() as tx:
        person, _ = people.by_name(tx, "Ann")
        people.change(tx, person.id, queues=["main"])
    assert client.get("/queues/main").status_code == 200
    assert client.get("/queues/escalated").status_code == 403
    assert client.get("/items/2").status_code == 403
    assert client.post("/queues/escalated/next", data={"csrf": token}).status_code == 403
    assert "Did you mean &#39;main&#39;" in client.get("/queues/mian").text


def test_a_list_goes_on_where_it_stopped(client: TestClient, console: Console) -> None:
    token = log_in(client, console)
    console.intake.take([submission(f"{i}0", f"words {chr(97 + i) * 9} {i}", score=0.5) for i in range(35)], NOW)
    for order in ("urgent", "random", "uncertain"):
        first = client.get(f"/queues/main?order={order}").text
        seen = re.findall(r'<a href="/items/(\d+)', first)
        client.post(f"/items/{seen[0]}/vote", data={"csrf": token, "action": "block", "submission": f"k{order}"})
        (rest,) = re.findall(r'rel="next" href="([^"]+)"', first)
        second = client.get("/queues/main" + rest.replace("&amp;", "&")).text
        after = re.findall(r'<a href="/items/(\d+)', second)
        assert (len(seen), set(seen) & set(after), 'rel="next"' in second) == (30, set(), False)
        assert len(after) == 35 - 30 - ["urgent", "random", "uncertain"].index(order)
    assert client.get("/queues/main?after=x").status_code == 422
    assert client.get("/me").text.count('action="/undo"') == 3


def test_who_has_answered_all_is_told_and_may_take_it_back(client: TestClient, console: Console) -> None:
    token = log_in(client, console)
    Intake(console.database, console.settings.model_copy(update={"second_vote_rate": 1.0})).take([submission("1")], NOW)
    client.post("/queues/main/next", data={"csrf": token})
    answer = client.post("/items/1/vote", data={"csrf": token, "action": "allow", "submission": "a1"})
    assert answer.url.path == "/queues/main"
    assert not answer.url.fragment, "which a script that follows the answer does not get"
    assert "Nothing here waits for you" in answer.text
    assert "Nothing here waits for you" not in client.get("/queues/main").text
    for page in ("/", "/queues/main"):
        assert 'id="undo"' in client.get(page).text
    console.settings = console.settings.model_copy(update={"undo_minutes": -1.0})
    assert 'id="undo"' not in client.get("/").text, "it would be refused"


def test_a_daily_limit_ends_the_day(client: TestClient, console: Console) -> None:
    console.settings = console.settings.model_copy(update={"daily_limit": 1})
    token = log_in(client, console)
    console.intake.take([submission("1"), submission("2")], NOW)
    client.post("/queues/main/next", data={"csrf": token})
    answer = client.post("/items/1/vote", data={"csrf": token, "action": "allow", "submission": "a1"})
    assert "which is the limit" in answer.text, "the vote is taken, the next item is not given"
    assert "which is the limit" in client.post("/queues/main/next", data={"csrf": token}).text
