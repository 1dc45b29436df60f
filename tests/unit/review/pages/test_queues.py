"""Queues, their lists, the next item, and the limit of a day."""

from __future__ import annotations

import re
from urllib.parse import urlencode

import pytest
from sqlalchemy import update
from starlette.requests import Request
from starlette.testclient import TestClient
from tests.support.review import submission
from tests.unit.review.conftest import NOW, row
from tests.unit.review.pages.conftest import ON_BOTH, limit, log_in

from crossguard.review.console import Console
from crossguard.review.errors import ReviewError
from crossguard.review.intake import Intake
from crossguard.review.pages.queues import take_next
from crossguard.review.pages.visit import Visit
from crossguard.review.resolution import Answer, Ballot
from crossguard.review.settings import ReviewSettings
from crossguard.review.store import claims, items, listing, votes
from crossguard.review.store.database import Database
from crossguard.review.store.people import Person, Session
from crossguard.review.store.schema import items as table
from crossguard.review.submissions import Expected

SPAM = "These people should all go back to where they came from, every single one of them"


def test_queues_are_for_those_whose_they_are(client: TestClient, console: Console) -> None:
    token = log_in(client, console)
    console.intake.take([submission("1"), submission("2", queue="escalated")], NOW)
    limit(console, "main")
    assert client.get("/queues/main").status_code == 200
    assert client.get("/queues/escalated").status_code == 403
    assert client.get("/items/2").status_code == 403
    assert client.post("/queues/escalated/next", data={"csrf": token}).status_code == 403
    assert "Did you mean &#39;main&#39;" in client.get("/queues/mian").text


def test_own_answers_show_no_words_of_queues_that_one_no_longer_sees(client: TestClient, console: Console) -> None:
    token = log_in(client, console)
    console.intake.take([submission("1", "kept words"), submission("2", "lost words", queue="escalated")], NOW)
    for item in (1, 2):
        answer = {"csrf": token, "action": "block", "label.racist": "yes", "submission": f"s{item}"}
        client.post(f"/items/{item}/claim", data={"csrf": token})
        client.post(f"/items/{item}/vote", data=answer)
    assert "lost words" in client.get("/me").text
    limit(console, "main")
    page = client.get("/me").text
    assert "kept words" in page
    assert "lost words" not in page
    assert 'href="/items/2"' not in page
    assert "Item 2, in a queue that you do not see" in page


def test_a_list_goes_on_where_it_stopped(client: TestClient, console: Console) -> None:
    token = log_in(client, console)
    console.intake.take([submission(f"{i}0", f"words {chr(97 + i) * 9} {i}", score=0.5) for i in range(35)], NOW)
    for order in ("urgent", "random", "uncertain"):
        first = client.get(f"/queues/main?order={order}").text
        seen = re.findall(r'<a href="/items/(\d+)', first)
        client.post(
            f"/items/{seen[0]}/vote",
            data={"csrf": token, "action": "block", "label.racist": "yes", "submission": f"k{order}"},
        )
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
    answer = client.post(
        "/items/1/vote", data={"csrf": token, "action": "allow", "label.racist": "no", "submission": "a1"}
    )
    assert answer.url.path == "/queues/main"
    assert not answer.url.fragment, "which a script that follows the answer does not get"
    assert "Nothing here waits for you" in answer.text
    assert "Nothing here waits for you" not in client.get("/queues/main").text
    for page in ("/", "/queues/main"):
        assert 'id="undo"' in client.get(page).text
    console.settings = console.settings.model_copy(update={"undo_minutes": -1.0})
    assert 'id="undo"' not in client.get("/").text, "it would be refused"


def test_an_answer_in_a_queue_that_was_lost_is_not_undone(client: TestClient, console: Console) -> None:
    """It was, and the page that followed was refused."""
    token = log_in(client, console)
    console.intake.take([submission("1"), submission("2")], NOW)
    answer = {"csrf": token, "action": "block", "label.racist": "yes", "submission": "a1"}
    client.post("/items/1/vote", data=answer)
    limit(console, "appeals")
    for page in ("/", "/me"):
        assert 'action="/undo' not in client.get(page).text, "it would be refused"
    refused = client.post("/undo", data={"csrf": token, "submission": "a1"})
    assert (refused.status_code, "no longer includes the queue" in refused.text) == (403, True)
    assert row(console.database, 1).state == "decided"


def test_undoing_what_another_one_escalated_leads_home(client: TestClient, console: Console) -> None:
    token = log_in(client, console)
    Intake(console.database, console.settings.model_copy(update={"second_vote_rate": 1.0})).take([submission("1")], NOW)
    answer = {"csrf": token, "action": "block", "label.racist": "yes", "submission": "a1"}
    client.post("/items/1/vote", data=answer)
    limit(console, "main")
    with console.database.write() as tx:
        tx.execute(update(table).values(queue="escalated"))
    page = client.post("/undo", data={"csrf": token, "submission": "a1"})
    assert (page.status_code, page.url.path) == (200, "/")
    assert row(console.database, 1).claimed_by is None, "it would wait for somebody who does not see it"


def test_a_daily_limit_ends_the_day(client: TestClient, console: Console) -> None:
    console.settings = console.settings.model_copy(update={"daily_limit": 1})
    token = log_in(client, console)
    console.intake.take([submission("1"), submission("2")], NOW)
    client.post("/queues/main/next", data={"csrf": token})
    answer = client.post(
        "/items/1/vote", data={"csrf": token, "action": "allow", "label.racist": "no", "submission": "a1"}
    )
    assert "which is the limit" in answer.text, "the vote is taken, the next item is not given"
    assert "which is the limit" in client.post("/queues/main/next", data={"csrf": token}).text


def visit(database: Database, settings: ReviewSettings, person: Person, **query: str) -> Visit:
    request = Request({"type": "http", "headers": [], "query_string": urlencode(query).encode()})
    return Visit(Console(settings, database), request, {}, Session("", person, ""), NOW)


def take(database: Database, settings: ReviewSettings, person: Person, after: int = 0, **query: str) -> int | None:
    with database.write() as tx:
        last = items.get(tx, after) if after else None
        return take_next(visit(database, settings, person, order=claims.OLDEST, **query), tx, "main", after=last)


def answer(database: Database, item: int, person: Person) -> None:
    with database.write() as tx:
        votes.cast(tx, item, person, Ballot({"racist": Answer.NO}, "allow"), submission=f"s{item}", now=NOW)


def test_what_is_held_comes_first_and_near_duplicates_next(
    console: Console, database: Database, settings: ReviewSettings, ann: Person
) -> None:
    console.intake.take([submission("1", SPAM), submission("2"), submission("3", f"{SPAM}!!")], NOW)
    assert take(database, settings, ann) == 1
    assert take(database, settings, ann) == 1
    answer(database, 1, ann)
    assert take(database, settings, ann, after=1) == 3


def test_golden_items_come_as_often_as_the_settings_say(
    console: Console, database: Database, settings: ReviewSettings, ann: Person
) -> None:
    gold = submission("2", expected=Expected(action="allow", labels={}))
    console.intake.take([submission("1"), gold], NOW)
    assert take(database, settings.model_copy(update={"gold_rate": 1.0}), ann) == 2


def test_a_golden_item_is_one_that_the_filters_find(
    console: Console, database: Database, settings: ReviewSettings, ann: Person
) -> None:
    """Else it shows what it is, and measures people by languages that they do not read."""
    gold = submission("2", language="en", expected=Expected(action="allow", labels={}))
    console.intake.take([submission("1", language="de"), gold], NOW)
    always = settings.model_copy(update={"gold_rate": 1.0})
    for language, item in (("de", 1), ("en", 2)):
        assert take(database, always, ann, language=language) == item
        with database.write() as tx:
            claims.release(tx, item, ann.id)


def test_who_asks_for_posts_from_the_feed_gets_golden_items_too(
    console: Console, database: Database, settings: ReviewSettings, ann: Person
) -> None:
    """They look like these; who is never given one would never be measured."""
    console.intake.take([submission("1"), submission("2", expected=Expected(action="allow", labels={}))], NOW)
    assert take(database, settings.model_copy(update={"gold_rate": 1.0}), ann, kind="feed") == 2


@ON_BOTH
def test_a_filter_by_source_tells_no_golden_item_apart(
    console: Console, database: Database, settings: ReviewSettings, ann: Person
) -> None:
    """Of the table, only golden items came: to whoever asks for its posts they would show what they are."""
    known = Expected(action="allow", labels={})
    console.intake.take([submission("1", source="forum"), submission("2", source="table", expected=known)], NOW)
    always = settings.model_copy(update={"gold_rate": 1.0})
    assert take(database, always, ann, source="table") is None
    assert take(database, always, ann, source="forum") == 2
    with database.write() as tx:
        claims.release(tx, 2, ann.id)
    assert take(database, settings, ann, source="forum") == 1


def test_a_day_has_a_limit_and_ends_at_midnight(
    console: Console, database: Database, settings: ReviewSettings, ann: Person
) -> None:
    console.intake.take([submission("1"), submission("2")], NOW)
    limited = settings.model_copy(update={"daily_limit": 1})
    answer(database, take(database, limited, ann) or 0, ann)
    with pytest.raises(ReviewError, match="1 items today"):
        take(database, limited, ann)
    with database.read() as db:
        assert [listing.seen_today(db, ann.id, now) for now in (NOW, NOW + 86_400)] == [1, 0]
