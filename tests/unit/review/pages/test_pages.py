"""The pages without a browser: who may do what, forms from elsewhere, hostile content, a database that is away."""

from __future__ import annotations

import base64
import io
import re
from itertools import pairwise

import pytest
from argon2 import PasswordHasher
from PIL import Image
from starlette.testclient import TestClient
from tests.support.review import submission
from tests.unit.review.conftest import NOW

from crossguard.review.console import Console
from crossguard.review.pages import login
from crossguard.review.pages.app import create_app
from crossguard.review.roles import Role
from crossguard.review.settings import ReviewSettings
from crossguard.review.store import people
from crossguard.review.store.database import Database

PASSWORD = "correct horse"  # noqa: S105 - of the people in these tests


@pytest.fixture(autouse=True)
def cheap_hashes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(login, "_HASHER", PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))


ON_BOTH = pytest.mark.parametrize("engine", ["sqlite", "postgresql"])


@pytest.fixture
def engine() -> str:
    """SQLite, unless a test says `ON_BOTH`."""
    return "sqlite"


@pytest.fixture
def client(console: Console) -> TestClient:
    return TestClient(create_app(console), base_url="http://testserver", raise_server_exceptions=False)


def log_in(client: TestClient, console: Console, name: str = "Ann", role: Role = Role.REVIEWER) -> str:
    """Logs in as somebody new and returns their token for forms."""
    with console.database.write() as tx:
        people.add(tx, name, role, NOW, password=login.hash_password(PASSWORD))
    answer = client.post("/login", data={"name": name, "password": PASSWORD})
    assert answer.status_code == 200
    return csrf_of(answer.text)


def csrf_of(page: str) -> str:
    found = re.search(r'<meta name="csrf" content="([^"]+)"', page)
    assert found is not None
    return found[1]


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
    assert client.post("/me/switches", data={"show_text": "on"}).status_code == 403
    assert client.post("/me/switches", data={"csrf": "x" * 40}).status_code == 403
    foreign = {"origin": "https://evil.example"}
    assert client.post("/me/switches", data={"csrf": token}, headers=foreign).status_code == 403
    assert client.post("/login", data={"name": "Ann", "password": PASSWORD}, headers=foreign).status_code == 403
    assert (
        client.post("/me/switches", data={"csrf": token}, headers={"sec-fetch-site": "cross-site"}).status_code == 403
    )
    assert client.post("/me/switches", data={"csrf": token, "show_text": "on"}).status_code == 200


def test_a_wrong_password_is_refused_and_guessing_is_slowed_down(client: TestClient, console: Console) -> None:
    log_in(client, console)
    client.cookies.clear()
    answers = [client.post("/login", data={"name": "ann", "password": f"guess {n}"}) for n in range(11)]
    assert [answer.status_code for answer in answers] == [422] * 10 + [429]
    assert client.post("/login", data={"name": "Ann", "password": PASSWORD}).status_code == 429
    nobody = client.post("/login", data={"name": "Zoe", "password": PASSWORD})
    assert "The name or the password is wrong." in nobody.text


def test_logging_in_never_leads_elsewhere(client: TestClient, console: Console) -> None:
    log_in(client, console)
    for target in ("https://evil.example", "//evil.example", "/\\evil.example", "/%0d%0aset-cookie: a=b"):
        answer = client.post(
            "/login", params={"next": target}, data={"name": "Ann", "password": PASSWORD}, follow_redirects=False
        )
        assert answer.headers["location"].startswith("/")
        assert not answer.headers["location"].startswith(("//", "/\\"))


def test_a_link_works_once(client: TestClient, console: Console) -> None:
    with console.database.write() as tx:
        token = people.invite(tx, Role.LEAD, console.now())
    form = {"name": "Lea", "password": PASSWORD, "again": PASSWORD}
    short = client.post(f"/join/{token}", data=form | {"password": "short", "again": "short"})
    assert "10 to 200 characters" in short.text
    assert client.post(f"/join/{token}", data=form).status_code == 200
    client.cookies.clear()
    assert client.post(f"/join/{token}", data=form | {"name": "Mia"}).status_code == 404


def test_somebody_who_is_put_out_is_out_at_once(client: TestClient, console: Console) -> None:
    log_in(client, console)
    with console.database.write() as tx:
        person, _ = people.by_name(tx, "Ann")
        people.change(tx, person.id, active=False)
    assert client.get("/me", follow_redirects=False).status_code == 303


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
    form = {"csrf": token, "action": "block", "label.racist": "yes", "submission": "s1", "alike": "all"}
    assert "Undo" in client.post("/items/1/vote", data=form).text
    with console.database.read() as db:
        assert db.exec_driver_sql("SELECT count(*) FROM items WHERE state = 'decided'").scalar_one() == 2
    for path in ("/", "/me", "/quality", "/log", "/people", "/items/1", "/log?item=1"):
        assert client.get(path).status_code == 200, path
    assert client.post("/items/1/gold", data={"csrf": token}).status_code == 200
    assert "golden item of this post already" in client.post("/items/1/gold", data={"csrf": token}).text
    assert client.post("/undo", data={"csrf": token, "submission": "s1"}).status_code == 200
    # Four posts of the author, and the golden copy of one.
    assert "The content of 5 items was erased" in client.post("/people/erase", data={"csrf": token, "author": "a"}).text


def test_the_quality_page_draws_false_positives_per_group(client: TestClient, console: Console) -> None:
    token = log_in(client, console, role=Role.LEAD)
    assert "Too few harmless posts name a group of people yet." in client.get("/quality").text
    places = ("park", "library", "museum", "harbour", "theatre", "market")
    posts = [submission(str(n), f"my Muslim friends at the {place}", 0.45 + n / 50) for n, place in enumerate(places)]
    console.intake.take(posts, NOW)
    for number in range(1, len(posts) + 1):
        client.post(f"/items/{number}/claim", data={"csrf": token})
        client.post(f"/items/{number}/vote", data={"csrf": token, "action": "allow", "submission": f"v{number}"})
    console.measured = None
    page = client.get("/quality").text
    assert "Part of the harmless posts naming a group that was flagged." in page
    drawn = page[page.index('aria-label="False-positive rate per group"') :]
    assert drawn.index("<title>Muslim: 0.50, 6 items</title>") < drawn.index("</svg>"), "three of six are flagged"


def test_near_duplicates_follow_and_are_chosen_one_by_one(client: TestClient, console: Console) -> None:
    token = log_in(client, console)
    words = "these people should all go back to where they came from"
    texts = [words, "something else", f"{words} now", f"and {words}"]
    posts = [submission(str(i), text, score=0.9 - i / 100) for i, text in enumerate(texts)]
    console.intake.take(posts, NOW)
    page = client.post("/queues/main/next", data={"csrf": token})
    assert page.url.path == "/items/1"
    assert "also says: now" in page.text
    form = {"csrf": token, "action": "block", "submission": "s1", "alike.4": "yes"}
    assert client.post("/items/1/vote", data=form).url.path == "/items/3", "the other near-duplicate comes next"
    with console.database.read() as db:
        states = db.exec_driver_sql("SELECT id FROM items WHERE state = 'decided' ORDER BY id").scalars().all()
    assert states == [1, 4]


@ON_BOTH
def test_a_blind_item_tells_nothing_about_the_model_before_the_vote(
    client: TestClient, console: Console, settings: ReviewSettings
) -> None:
    console.intake._settings = settings.model_copy(update={"second_vote_rate": 1.0})
    token = log_in(client, console)
    console.intake.take([submission("1", score=0.77)], NOW)
    client.post("/queues/main/next", data={"csrf": token})
    before = client.get("/items/1").text
    assert "judged blind" in before
    assert "0.77" not in before + client.get("/queues/main").text
    assert client.get("/items/1/explanation").status_code == 403
    for query in ("label=racist", "score_from=0.5"):
        assert "/items/1" not in client.get(f"/queues/main?{query}").text, "to be found would tell what the model says"
    client.post("/items/1/vote", data={"csrf": token, "action": "block", "submission": "a1"})
    assert "0.77" in client.get("/items/1").text


def test_nobody_can_tell_what_was_flagged_from_what_was_allowed_before_the_vote(
    client: TestClient, console: Console, settings: ReviewSettings
) -> None:
    """An allowed post in the sample looks like a flagged one that two people decide, by its page, place and filters."""
    console.intake._settings = settings.model_copy(update={"second_vote_rate": 1.0, "audit_rate": 1.0})
    token = log_in(client, console)
    texts = [f"{letter * 5} {letter * 9}" for letter in "abcdefghij"]
    scores = [0.02 if index % 2 else 0.5 + index / 25 for index in range(len(texts))]
    console.intake.take([submission(str(i), texts[i], scores[i]) for i in range(len(texts))], NOW)
    with console.database.read() as db:
        kinds = dict(map(tuple, db.exec_driver_sql("SELECT id, kind FROM items").all()))
    for order in ("urgent", "uncertain", "random"):
        listed = [int(found) for found in re.findall(r"/items/(\d+)", client.get(f"/queues/main?order={order}").text)]
        runs = 1 + sum(kinds[a] != kinds[b] for a, b in pairwise(listed))
        assert runs > 2, f"{order}: flagged and allowed posts are mixed"
    for filters in ("kind=audit", "kind=flag", "label=racist", "score_to=0.3"):
        assert "/items/" not in client.get(f"/queues/main?{filters}").text
    assert client.get("/queues/main?kind=feed").text.count('<a href="/items/') == len(texts)
    pages: dict[str, set[str]] = {"flag": set(), "audit": set()}
    for number, kind in kinds.items():
        client.post(f"/items/{number}/claim", data={"csrf": token})
        page = client.get(f"/items/{number}").text
        assert "judged blind" in page
        for own in (texts[number - 1], f"item {number}", f"Item {number}", f"/items/{number}"):
            page = page.replace(own, "")
        pages[kind].add(re.sub(r'value="[0-9a-f]{32}s?"|<span class="masked".*?</span>', "", page))
        client.post(f"/items/{number}/release", data={"csrf": token})
    assert pages["flag"] == pages["audit"]
    assert len(pages["flag"]) == 1


def test_a_golden_item_looks_like_others_after_the_vote_too(client: TestClient, console: Console) -> None:
    console.settings = console.settings.model_copy(update={"gold_rate": 1.0})
    token = log_in(client, console)
    known = {"action": "block", "labels": {"racist": "yes"}}
    console.intake.take([submission("1"), submission("2", expected=known)], NOW)
    assert client.get("/items/2").status_code == 404, "nobody finds one by its number"
    assert client.post("/queues/main/next", data={"csrf": token}).url.path == "/items/2"
    client.post("/items/2/vote", data={"csrf": token, "action": "block", "submission": "g1"})
    shown = client.get("/items/2")
    assert shown.status_code == 200
    assert "olden" not in shown.text
    assert "Your decision" in client.post("/undo", data={"csrf": token, "submission": "g1"}).text


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


def test_small_images_and_tables_to_download(client: TestClient, console: Console) -> None:
    token = log_in(client, console, role=Role.LEAD)
    made = io.BytesIO()
    Image.new("RGB", (900, 600), (10, 200, 90)).save(made, "PNG")
    picture = f"data:image/png;base64,{base64.b64encode(made.getvalue()).decode()}"
    console.intake.take([submission("1", images=[picture])], NOW)
    assert 'src="/images/1?small"' in client.get("/queues/main").text
    assert Image.open(io.BytesIO(client.get("/images/1?small").content)).size == (160, 107)
    client.post("/items/1/vote", data={"csrf": token, "action": "block", "submission": "s"})
    table = client.get("/quality/decided.csv")
    assert (table.status_code, table.text.count("\n")) == (200, 2)
    assert client.get("/quality/decided.exe").status_code == 404
    log_in(client, console, "Rob")
    assert client.get("/quality/decided.csv").status_code == 403


def test_required_parts_are_enforced_and_what_was_filled_in_stays(client: TestClient, console: Console) -> None:
    console.settings = console.settings.model_copy(update={"required": ("labels", "clause", "comment")})
    token = log_in(client, console)
    console.intake.take([submission("1")], NOW)
    client.post("/queues/main/next", data={"csrf": token})
    answer = client.post(
        "/items/1/vote", data={"csrf": token, "action": "block", "label.racist": "yes", "clause": "sexist"}
    )
    assert answer.status_code == 422
    assert "missing: sexist, homophobe, religion, otherhate" in answer.text
    assert "Write a comment." in answer.text
    assert re.search(r'value="yes" aria-label="racist: yes"\s+checked', answer.text)
    with console.database.read() as db:
        assert db.exec_driver_sql("SELECT count(*) FROM votes").scalar_one() == 0


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


def test_a_daily_limit_ends_the_day(client: TestClient, console: Console) -> None:
    console.settings = console.settings.model_copy(update={"daily_limit": 1})
    token = log_in(client, console)
    console.intake.take([submission("1"), submission("2")], NOW)
    client.post("/queues/main/next", data={"csrf": token})
    answer = client.post("/items/1/vote", data={"csrf": token, "action": "allow", "submission": "a1"})
    assert "which is the limit" in answer.text, "the vote is taken, the next item is not given"
    assert "which is the limit" in client.post("/queues/main/next", data={"csrf": token}).text


def test_a_database_that_is_away_is_told(client: TestClient, console: Console, tmp_path: object) -> None:
    token = log_in(client, console)
    console.database.engine.dispose()
    console.database = Database.open(f"{tmp_path}/other.sqlite")
    with console.database.write() as tx:
        tx.exec_driver_sql("DROP TABLE sessions")
    answer = client.post("/me/switches", data={"csrf": token})
    assert answer.status_code == 503
    assert "The database is away" in answer.text


def test_posts_come_in_with_a_key_only(client: TestClient, console: Console) -> None:
    from crossguard.review.store import keys

    body = {"items": [submission("1").model_dump(mode="json")]}
    assert client.post("/api/items", json=body).status_code == 401
    with console.database.write() as tx:
        key = keys.add(tx, "serve", NOW)
    headers = {"authorization": f"Bearer {key}"}
    assert client.post("/api/items", json=body, headers=headers).json()["taken"] == 1
    wrong = client.post("/api/items", json={"items": [{"id": "2", "txt": "x"}]}, headers=headers)
    assert wrong.status_code == 422
    assert "Did you mean 'text'" in wrong.json()["error"]["message"]
    assert client.post("/api/items", content=b"{", headers=headers).status_code == 400
    appeal = client.post("/api/appeals", json={"id": "a", "post": "1"}, headers=headers)
    assert appeal.status_code == 409
    with console.database.write() as tx:
        keys.revoke(tx, "serve", NOW)
    assert client.post("/api/items", json=body, headers=headers).status_code == 401
