"""Who may open what, and which forms are taken."""

from __future__ import annotations

from unittest.mock import Mock

import pytest
from starlette.requests import Request
from starlette.testclient import TestClient
from tests.support.review import submission
from tests.unit.review.conftest import NOW
from tests.unit.review.pages.conftest import ON_BOTH, PASSWORD, log_in

from crossguard.review.console import Console
from crossguard.review.pages.app import create_app
from crossguard.review.roles import Role
from crossguard.review.settings import ReviewSettings
from crossguard.review.store import votes
from crossguard.review.store.database import Database


def test_nobody_sees_anything_without_logging_in(client: TestClient) -> None:
    for path in ("/", "/queues/main", "/items/1", "/images/1", "/me", "/people", "/log", "/quality"):
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
    assert client.post("/me/switches", data={"csrf": "x" * 40}).status_code == 401
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


def test_files_in_a_form_are_not_taken(client: TestClient, console: Console) -> None:
    token = log_in(client, console)
    answer = client.post("/me/switches", data={"csrf": token}, files={"show_text": ("on", b"on")})
    assert answer.status_code == 400


def test_a_content_type_of_many_parameters_is_not_read(client: TestClient) -> None:
    many = "multipart/form-data; boundary=x" + ";" * 60_000
    answer = client.post("/login", content=b"", headers={"content-type": many})
    assert answer.status_code == 422
    assert "A content type may have 1000 characters" in answer.text


def test_nobody_chooses_how_a_form_is_decoded(client: TestClient) -> None:
    """Punycode is read in quadratic time, so a form of a megabyte, which needs no login, would stop the console."""
    part = b'--x\r\ncontent-disposition: form-data; name="name"\r\n\r\n' + b"a" * 1000 + b"\r\n--x--\r\n"
    for charset in ("punycode", '"punycode"', "utf-8; charset=punycode", "puny\\code"):
        kind = f"multipart/form-data; boundary=x; Charset={charset}"
        answer = client.post("/login", content=part, headers={"content-type": kind})
        assert "A form is read as UTF-8" in answer.text, charset
    for kind in ("multipart/form-data; boundary=x; charset=UTF-8", "multipart/form-data; boundary=x"):
        answer = client.post("/login", content=part, headers={"content-type": kind})
        assert "The name or the password is wrong." in answer.text, kind


def test_a_form_of_empty_fields_is_not_parsed(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """A megabyte of them, which needs no login, would stop the console for seconds."""
    parsed = Mock(side_effect=AssertionError("parsed"))
    monkeypatch.setattr(Request, "form", parsed)
    for kind in ("application/x-www-form-urlencoded", "application/x-www-form-urlencoded; a=multipart/form-data"):
        answer = client.post("/login", content=b"&" * 1_000_000, headers={"content-type": kind})
        assert (answer.status_code, "A form may have 200 fields; this one has more." in answer.text) == (422, True)
    monkeypatch.undo()
    text = b'--x\r\ncontent-disposition: form-data; name="name"\r\n\r\n' + b"&" * 1000 + b"\r\n--x--\r\n"
    answer = client.post("/login", content=text, headers={"content-type": "multipart/form-data; boundary=x"})
    assert "The name or the password is wrong." in answer.text, "inside a field it separates nothing"


def test_a_line_of_a_comment_ends_in_one_character(client: TestClient, console: Console) -> None:
    token = log_in(client, console)
    console.intake.take([submission("1")], NOW)
    longest = "a\r\n" * 1999 + "ab"  # 4,000 characters where it was written; a browser sends two for each end
    client.post("/items/1/vote", data={"csrf": token, "action": "block", "comment": longest, "submission": "s"})
    with console.database.read() as db:
        assert [vote.comment for vote in votes.standing(db, 1)] == [longest.replace("\r", "")]


@ON_BOTH
@pytest.mark.parametrize("number", ["7", str(2**31), str(2**63), "9" * 5000])
def test_a_number_that_nothing_has_is_not_found(client: TestClient, console: Console, number: str) -> None:
    log_in(client, console)
    for path in (f"/items/{number}", f"/images/{number}"):
        assert client.get(path).status_code == 404, path
    assert client.get(f"/queues/main?after=0:{number}").status_code == (200 if number == "7" else 422)


def test_a_proxy_may_pass_its_own_name_on_where_the_public_one_is_known(
    settings: ReviewSettings, database: Database
) -> None:
    public = {"origin": "https://review.example"}
    for address, status in (("https://review.example", 422), ("", 403)):
        console = Console(settings.model_copy(update={"public_url": address}), database)
        client = TestClient(create_app(console), base_url="http://127.0.0.1:8090")
        form = {"name": "Nobody", "password": PASSWORD}
        assert client.post("/login", data=form, headers=public).status_code == status
