"""What admins may change, and the rights that they cannot take away from themselves."""

from __future__ import annotations

import re
import threading
from html import unescape

import pytest
from starlette.testclient import TestClient
from tests.support.review import submission
from tests.unit.review.conftest import NOW, person, row
from tests.unit.review.pages.conftest import ON_BOTH, log_in

from crossguard.review.console import Console
from crossguard.review.roles import Role
from crossguard.review.store import keys, log, people


@pytest.fixture
def admin(client: TestClient, console: Console) -> str:
    return log_in(client, console, role=Role.ADMIN)


def shown(client: TestClient, name: str) -> dict[str, str]:
    """The fields of somebody's form that say what the page shows of them."""
    form = client.get("/people").text.partition(f'name="name" value="{name}">')[2]
    found = re.match(r'<input type="hidden" name="shown" value="([^"]+)">', form)
    assert found is not None
    return {"name": name, "shown": unescape(found[1])}


def test_role_queues_and_access_of_others_change(client: TestClient, console: Console, admin: str) -> None:
    person(console.database, "Ben")
    form = shown(client, "Ben") | {"csrf": admin, "role": "lead", "active": "on", "queues": " main , appeals,"}
    assert client.post("/people/change", data=form).status_code == 200
    with console.database.read() as db:
        ben, _ = people.by_name(db, "Ben")
    assert (ben.role, ben.active, ben.queues) == (Role.LEAD, True, ("main", "appeals"))
    client.post("/people/change", data=shown(client, "Ben") | {"csrf": admin, "role": "lead", "queues": ""})
    with console.database.read() as db:
        ben, _ = people.by_name(db, "Ben")
    assert (ben.active, ben.queues) == (False, None), "no queue named is all of them"


@ON_BOTH
def test_an_older_page_gives_no_access_back(client: TestClient, console: Console, admin: str) -> None:
    """As that of another admin, or of another tab, even where both save in one moment."""
    ben = person(console.database, "Ben")
    older = shown(client, "Ben") | {"csrf": admin, "role": "reviewer", "active": "on", "queues": ""}
    answers = []
    saving = threading.Thread(target=lambda: answers.append(client.post("/people/change", data=older)))
    with console.database.write() as tx:
        people.change(tx, ben.id, active=False)
        saving.start()
        saving.join(1)
        assert saving.is_alive()
    saving.join()
    assert answers[0].status_code == 409
    assert "Somebody has changed role, queues or access of Ben since this page was opened" in answers[0].text
    with console.database.read() as db:
        assert not people.by_name(db, "Ben")[0].active
        assert log.entries(db) == []


def test_a_second_click_on_save_is_answered_as_the_first(client: TestClient, console: Console, admin: str) -> None:
    person(console.database, "Ben")
    form = shown(client, "Ben") | {"csrf": admin, "role": "lead", "queues": "main"}
    assert [client.post("/people/change", data=form).status_code for _ in range(2)] == [200, 200]


def test_somebody_limited_to_a_queue_that_is_gone_can_be_locked_out(
    client: TestClient, console: Console, admin: str
) -> None:
    ben = person(console.database, "Ben")
    with console.database.write() as tx:
        people.change(tx, ben.id, queues=["gone"])
    form = {"csrf": admin, "role": "reviewer", "queues": "gone"}
    unknown = client.post("/people/change", data=shown(client, "Ben") | form | {"queues": "gone,far"})
    assert "Unknown queue 'far'" in unescape(unknown.text)
    assert client.post("/people/change", data=shown(client, "Ben") | form).status_code == 200
    with console.database.read() as db:
        changed, _ = people.by_name(db, "Ben")
    assert (changed.active, changed.queues) == (False, ("gone",))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"queues": "mian"}, "Did you mean 'main'"),
        ({"role": "boss"}, "Unknown role 'boss'"),
        ({"role": "lead"}, "cannot take your own admin rights"),
        ({"active": ""}, "cannot take your own admin rights"),
        ({"name": "Nobody"}, "nobody named 'Nobody'"),
    ],
)
def test_a_wrong_change_changes_nothing(
    client: TestClient, console: Console, admin: str, change: dict[str, str], said: str
) -> None:
    form = shown(client, "Ann") | {"csrf": admin, "role": "admin", "active": "on", "queues": ""} | change
    answer = client.post("/people/change", data=form)
    assert answer.status_code in {404, 422}
    assert said in answer.text.replace("&#39;", "'")
    with console.database.read() as db:
        ann, _ = people.by_name(db, "Ann")
        assert (ann.role, ann.active, ann.queues) == (Role.ADMIN, True, None)
        assert log.entries(db) == []


def test_a_key_is_shown_once_and_works_until_it_is_revoked(client: TestClient, console: Console, admin: str) -> None:
    shown = client.post("/people/keys", data={"csrf": admin, "name": "forum"}).text
    found = re.search(r"cgr-[\w-]+", shown)
    assert found is not None
    assert found[0] not in client.get("/people").text
    with console.database.read() as db:
        assert keys.owner(db, found[0]) == "forum"
    client.post("/people/keys/revoke", data={"csrf": admin, "name": "forum"})
    with console.database.read() as db:
        assert keys.owner(db, found[0]) is None


def test_switches_lead_back_from_what_answered_a_form(client: TestClient, console: Console, admin: str) -> None:
    page = client.post("/people/invite", data={"csrf": admin, "role": "lead"})
    assert page.status_code == 200
    assert 'name="back" value="/people"' in page.text


def test_a_link_for_a_known_person_keeps_their_role(client: TestClient, console: Console, admin: str) -> None:
    person(console.database, "Ben", Role.AUDITOR)
    page = client.post("/people/invite", data={"csrf": admin, "name": "Ben", "role": "admin"}).text
    token = re.search(r"http://testserver/join/([\w-]+)", page)
    assert token is not None
    with console.database.read() as db:
        assert people.invitation(db, token[1], console.now()).role == "auditor"


def test_erasing_needs_an_author_and_counts(client: TestClient, console: Console, admin: str) -> None:
    console.intake.take([submission("1", author="a"), submission("2")], NOW)
    assert client.post("/people/erase", data={"csrf": admin, "author": " "}).status_code == 422
    assert "Nothing was erased" in client.post("/people/erase", data={"csrf": admin, "author": "A"}).text
    assert "The content of 1 item was erased" in client.post("/people/erase", data={"csrf": admin, "author": "a"}).text
    assert [row(console.database, number).text == "" for number in (1, 2)] == [True, False]
