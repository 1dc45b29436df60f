"""Who may open what, and which forms are taken."""

from __future__ import annotations

import pytest
from starlette.testclient import TestClient
from tests.support.review import submission
from tests.unit.review.conftest import NOW
from tests.unit.review.pages.conftest import ON_BOTH, PASSWORD, log_in

from crossguard.review.console import Console
from crossguard.review.pages.app import create_app
from crossguard.review.pages.login import WRONG
from crossguard.review.pages.visit import FORM, form_of
from crossguard.review.roles import Role
from crossguard.review.settings import ReviewSettings, gather
from crossguard.review.store import votes
from crossguard.review.store.database import Database


def test_nobody_sees_anything_without_logging_in(client: TestClient) -> None:
    for path in ("/", "/queues/main", "/items/1", "/images/1", "/images/1/full", "/me", "/people", "/log", "/quality"):
        answer = client.get(path, follow_redirects=False)
        assert (answer.status_code, answer.headers["location"].split("?")[0]) == (303, "/login"), path


@pytest.mark.parametrize(
    ("role", "allowed"),
    [
        (Role.REVIEWER, {"/me"}),
        (Role.LEAD, {"/me", "/quality", "/log"}),
        (Role.AUDITOR, {"/me", "/quality", "/log"}),
        (Role.ADMIN, {"/me", "/quality", "/log", "/people"}),
    ],
)
def test_roles(client: TestClient, console: Console, role: Role, allowed: set[str]) -> None:
    token = log_in(client, console, role=role)
    console.intake.take([submission("1")], NOW)
    seen = {path for path in ("/me", "/quality", "/log", "/people") if client.get(path).status_code == 200}
    assert seen == allowed
    answer = client.post("/queues/main/next", data={"csrf": token})
    assert answer.status_code == (403 if role is Role.AUDITOR else 200)


def test_a_form_needs_its_token_and_our_own_origin(client: TestClient, console: Console) -> None:
    token = log_in(client, console)
    assert client.post("/me/switches", data={"show_text": "on"}).status_code == 401
    old = client.post("/me/switches", data={"csrf": "x" * 40})
    assert old.status_code == 401
    assert "Go back, reload that page, and send it again." in old.text, "this page, reloaded, is the old form again"
    for origin in ("https://evil.example", "http://["):
        foreign = {"origin": origin}
        assert client.post("/me/switches", data={"csrf": token}, headers=foreign).status_code == 403
        assert client.post("/login", data={"name": "Ann", "password": PASSWORD}, headers=foreign).status_code == 403
    assert (
        client.post("/me/switches", data={"csrf": token}, headers={"sec-fetch-site": "cross-site"}).status_code == 403
    )
    assert client.post("/me/switches", data={"csrf": token, "show_text": "on"}).status_code == 200


def test_who_logs_in_arrives_where_they_wanted_to_go(client: TestClient) -> None:
    answer = client.get("/items/7?order=random", follow_redirects=False)
    assert answer.headers["location"] == "/login?next=/items/7%3Forder%3Drandom"
    answer = client.post("/me/switches", data={"show_text": "on"}, follow_redirects=False)
    assert answer.headers["location"] == "/login?next=/", "a form cannot be sent again by a link"


def test_a_part_of_a_page_is_never_the_login_page(client: TestClient) -> None:
    """It would take the place of what somebody writes there."""
    for method, path in (("GET", "/items/7/explanation"), ("POST", "/items/7/renew")):
        answer = client.request(method, path, headers={"hx-request": "true"}, follow_redirects=False)
        assert answer.status_code == 401
        assert "Your login has ended. What you wrote is still here: log in again in another tab." in answer.text


def test_a_form_is_read_in_one_way(client: TestClient, console: Console) -> None:
    token = log_in(client, console)
    answer = client.post("/me/switches", data={"csrf": token}, files={"show_text": ("on", b"on")})
    assert (answer.status_code, "application/x-www-form-urlencoded" in answer.text) == (422, True)
    for kind in ("multipart/form-data; boundary=x" + ";" * 60_000, "text/plain", ""):
        answer = client.post("/login", content=b"name=a&password=b", headers={"content-type": kind})
        assert (answer.status_code, "A form is read as" in answer.text) == (422, True), kind
    kind = "Application/X-WWW-Form-Urlencoded; charset=punycode"  # decodes nothing
    assert WRONG in client.post("/login", content=b"name=a&password=b", headers={"content-type": kind}).text


def test_a_form_of_many_fields_is_not_read(client: TestClient) -> None:
    fields = "&".join(f"field{number}=" for number in range(199))
    kind = {"content-type": "application/x-www-form-urlencoded"}
    assert WRONG in client.post("/login", content=f"{fields}&name=a", headers=kind).text
    answer = client.post("/login", content=f"{fields}&name=a&password=b", headers=kind)
    assert (answer.status_code, "A form may have 200 fields; this one has more." in answer.text) == (422, True)


@pytest.mark.parametrize(
    "sent", ["comment=%C3%BC%0D%0A%F0%9F%99%82+%26", "comment=ü%0d%0a🙂+%26", "x=&comment=a&comment=ü%0A🙂 %26"]
)
def test_fields_of_a_form_are_text(sent: str) -> None:
    assert form_of(sent.encode(), FORM)["comment"] == "ü\n🙂 &"


def test_a_form_that_is_no_utf_8_is_read_with_its_bad_bytes_marked() -> None:
    assert form_of(b"comment=a\xff%ff%zz%00&b", FORM) == {
        "comment": "a\N{REPLACEMENT CHARACTER}" + "\N{REPLACEMENT CHARACTER}%zz",
        "b": "",
    }
    assert form_of(b"", "") == {}


def test_a_line_of_a_comment_ends_in_one_character(client: TestClient, console: Console) -> None:
    token = log_in(client, console)
    console.intake.take([submission("1")], NOW)
    longest = "a\r\n" * 1999 + "ab"  # 4,000 characters where it was written; a browser sends two for each end
    client.post(
        "/items/1/vote",
        data={"csrf": token, "action": "block", "label.racist": "yes", "comment": longest, "submission": "s"},
    )
    with console.database.read() as db:
        assert [vote.comment for vote in votes.standing(db, 1)] == [longest.replace("\r", "")]


@ON_BOTH
@pytest.mark.parametrize("number", ["7", str(2**31), str(2**63), "9" * 5000])
def test_a_number_that_nothing_has_is_not_found(client: TestClient, console: Console, number: str) -> None:
    log_in(client, console)
    for path in (f"/items/{number}", f"/images/{number}", f"/images/{number}/full"):
        assert client.get(path).status_code == 404, path
    assert client.get(f"/queues/main?after=0:{number}").status_code == (200 if number == "7" else 422)


def test_a_proxy_may_pass_its_own_name_on_where_the_public_one_is_known(
    settings: ReviewSettings, database: Database
) -> None:
    public = {"origin": "https://review.example"}
    for address, status in (("https://review.example", 422), ("https://Review.example:443", 422), ("", 403)):
        console = Console(gather(settings.model_dump() | {"public_url": address}, {}, None), database)
        client = TestClient(create_app(console), base_url="http://127.0.0.1:8090")
        form = {"name": "Nobody", "password": PASSWORD}
        assert client.post("/login", data=form, headers=public).status_code == status
