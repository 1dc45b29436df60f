"""What a person sees of an item before and after the vote."""

from __future__ import annotations

import re
import time
from concurrent.futures import ThreadPoolExecutor, wait
from itertools import pairwise

from starlette.testclient import TestClient
from tests.support.review import submission
from tests.unit.review.conftest import BLOCK, NOW, cast, person, row
from tests.unit.review.pages.conftest import ON_BOTH, log_in

from crossguard.review.console import Console
from crossguard.review.pages.api import Appeal, take_appeal
from crossguard.review.resolution import Answer, Ballot
from crossguard.review.roles import Role
from crossguard.review.settings import ReviewSettings
from crossguard.review.store import claims, people, retention, votes
from crossguard.review.store.people import Person


def test_near_duplicates_follow_and_are_chosen_one_by_one(client: TestClient, console: Console) -> None:
    token = log_in(client, console)
    words = "these people should all go back to where they came from"
    texts = [words, "something else", f"{words} now", f"and {words}"]
    posts = [submission(str(i), text, score=0.9 - i / 100) for i, text in enumerate(texts)]
    console.intake.take(posts, NOW)
    page = client.post("/queues/main/next", data={"csrf": token})
    assert page.url.path == "/items/1"
    assert 'also says: <span class="veiled">now</span>' in page.text
    form = {"csrf": token, "action": "block", "label.racist": "yes", "submission": "s1", "alike.4": "yes"}
    assert client.post("/items/1/vote", data=form).url.path == "/items/3", "the other near-duplicate comes next"
    with console.database.read() as db:
        states = db.exec_driver_sql("SELECT id FROM items WHERE state = 'decided' ORDER BY id").scalars().all()
    assert states == [1, 4]


@ON_BOTH
def test_two_people_may_decide_each_others_near_duplicate_at_once(
    client: TestClient, console: Console, ben: Person
) -> None:
    """Neither had claimed both; each would hold one of the two items and wait for the other."""
    token = log_in(client, console)
    words = "these people should all go back to where they came from"
    console.intake.take([submission("1", words), submission("2", f"{words} now")], NOW)
    form = {"csrf": token, "action": "block", "label.racist": "yes", "submission": "s1", "alike.1": "yes"}
    with ThreadPoolExecutor() as threads:
        with console.database.write() as tx:
            votes.cast(tx, 1, ben, BLOCK, submission="s2", now=NOW)
            other = threads.submit(client.post, "/items/2/vote", data=form)
            wait([other], 0.3)
            votes.cast(tx, 2, ben, BLOCK, submission="s2", now=NOW)
        assert other.result().status_code == 409
    assert row(console.database, 1).outcome["votes"] == row(console.database, 2).outcome["votes"] == 1


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
    client.post("/items/1/vote", data={"csrf": token, "action": "block", "label.racist": "yes", "submission": "a1"})
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
    client.post("/items/2/vote", data={"csrf": token, "action": "block", "label.racist": "yes", "submission": "g1"})
    shown = client.get("/items/2")
    assert shown.status_code == 200
    assert "olden" not in shown.text
    assert "Your decision" in client.post("/undo", data={"csrf": token, "submission": "g1"}).text


@ON_BOTH
def test_id_and_source_of_a_post_are_for_who_measures_and_does_not_decide_it(
    client: TestClient, console: Console
) -> None:
    """With them a post is found on its platform; those of golden items may tell what they are."""
    known = {"action": "block", "labels": {"racist": "yes"}}
    golden = submission("golden-2", source="table", expected=known)
    console.intake.take([submission("post-1", source="forum"), golden], NOW)
    token = log_in(client, console)
    client.post("/queues/main/next", data={"csrf": token})
    client.post("/items/1/vote", data={"csrf": token, "action": "block", "label.racist": "yes", "submission": "s1"})
    shown = client.get("/items/1").text
    assert "id post-1" not in shown
    assert "<span>forum</span>" not in shown
    token = log_in(client, console, "Lea", Role.LEAD)
    shown = client.get("/items/1").text
    assert "id post-1" in shown
    assert "<span>forum</span>" in shown
    shown = client.get("/items/2").text
    assert "id golden-2" in shown
    assert "<span>table</span>" in shown
    with console.database.write() as tx:
        lea = people.by_name(tx, "Lea")[0]
        assert claims.claim(tx, 2, lea.id, time.time(), 600)
    held = client.get("/items/2").text
    assert "Your decision" in held
    assert "id golden-2" not in held
    assert "<span>table</span>" not in held


@ON_BOTH
def test_appeals_for_one_post_are_shown_and_decided_together(client: TestClient, console: Console) -> None:
    token = log_in(client, console, "Ben")
    console.intake.take([submission("1"), submission("2", "other words")], NOW)
    ann = person(console.database, "Ann")
    for number in (1, 2):
        cast(console.database, number, ann)
    for name, post in (("41", "1"), ("42", "2"), ("43", "1")):
        take_appeal(console, Appeal(id=name, post=post, reason=f"because of {name}"), NOW)
    page = client.post("/queues/appeals/next", data={"csrf": token})
    assert page.url.path == "/items/3"
    assert "Other appeals for this post" in page.text
    assert "because of 43" in page.text
    assert "because of 42" not in page.text
    answer = {"csrf": token, "action": "allow", "label.racist": "no", "submission": "s1", "alike.5": "yes"}
    assert client.post("/items/3/vote", data=answer).url.path == "/items/4"
    assert [row(console.database, item).state for item in (3, 4, 5)] == ["decided", "open", "decided"]
    assert [row(console.database, item).outcome["action"] for item in (1, 2)] == ["allow", "block"]
    client.post("/undo", data={"csrf": token, "submission": "s1"})
    assert row(console.database, 1).outcome["action"] == "block"


@ON_BOTH
def test_after_undo_the_form_begins_with_the_answer_that_was_taken_back(client: TestClient, console: Console) -> None:
    token = log_in(client, console)
    console.intake.take([submission("1"), submission("2")], NOW)
    client.post("/queues/main/next", data={"csrf": token})
    answer = {"csrf": token, "action": "block", "label.racist": "yes", "label.sexist": "unsure", "submission": "s1"}
    client.post("/items/1/vote", data=answer | {"clause": "sexist", "comment": "see the rule"})
    page = client.post("/undo", data={"csrf": token, "submission": "s1"})
    assert page.url.query == b"again=s1"
    assert page.url.path == "/items/1"
    assert re.search(r'value="yes" aria-label="racist: yes"\s+checked', page.text)
    assert re.search(r'value="unsure" aria-label="sexist: unsure"\s+checked', page.text)
    assert re.search(r'value="no" aria-label="religion: no"\s+checked', page.text)
    assert '<option value="sexist" selected>' in page.text
    assert ">see the rule</textarea>" in page.text
    blank = client.get("/items/1").text
    assert "see the rule" not in blank, "only undoing brings it back"
    assert "see the rule" not in client.get("/items/1?again=s2").text
    log_in(client, console, "Ben")
    assert "see the rule" not in client.get("/items/1?again=s1").text, "nobody sees another person's answer"


@ON_BOTH
def test_undo_says_how_many_answers_stay(client: TestClient, console: Console) -> None:
    """One is reopened by a lead, the author of another one is erased, a third one is appealed against."""
    token = log_in(client, console)
    words = "these people should all go back to where they came from"
    console.intake.take([submission(str(i), words, author=f"a{i}") for i in range(1, 6)], NOW)
    form = {"csrf": token, "action": "block", "submission": "s1", "alike": "all", "counted": "2,3,4,5"}
    client.post("/items/1/vote", data=form | {"label.racist": "yes"})
    with console.database.write() as tx:
        votes.clear(tx, 2, people.by_name(tx, "Ann")[0], NOW)
        retention.erase_author(tx, "a3", NOW)
    take_appeal(console, Appeal(id="p1", post="4"), NOW)
    assert "block on 4 items" in client.get("/").text
    assert client.get("/me").text.count("Undo all 4") == 4
    page = client.post("/undo", data={"csrf": token, "submission": "s1"})
    assert (page.status_code, page.url.path) == (200, "/items/1")
    assert "2 other answers that you gave with this one stay" in page.text
    assert 'id="undo"' not in page.text, "it would be refused"
    assert [row(console.database, item).state for item in range(1, 6)] == ["open", "open", "decided", "decided", "open"]
    refused = client.post("/undo", data={"csrf": token, "submission": "s1"})
    assert (refused.status_code, "content of item 3 is deleted" in refused.text) == (409, True)


def test_an_answer_that_was_taken_back_is_not_quietly_dropped_when_it_is_sent_again(
    client: TestClient, console: Console
) -> None:
    """As by the browser's way back to the page from before."""
    token = log_in(client, console)
    console.intake.take([submission("1")], NOW)
    client.post("/queues/main/next", data={"csrf": token})
    answer = {"csrf": token, "action": "block", "label.racist": "yes", "submission": "s1"}
    assert client.post("/items/1/vote", data=answer).status_code == 200
    client.post("/undo", data={"csrf": token, "submission": "s1"})
    refused = client.post("/items/1/vote", data=answer)
    assert refused.status_code == 409
    assert "taken back" in refused.text
    assert row(console.database, 1).state == "open"
    assert client.post("/items/1/vote", data=answer | {"submission": "s2"}).status_code == 200
    assert row(console.database, 1).state == "decided"


def test_a_refused_answer_shows_the_comment_and_what_is_true(client: TestClient, console: Console) -> None:
    token = log_in(client, console)
    console.intake.take([submission("1"), submission("2")], NOW)
    client.post("/queues/main/next", data={"csrf": token})
    answer = {"csrf": token, "action": "block", "label.racist": "yes", "comment": "as <they> said"}
    client.post("/items/1/vote", data=answer | {"submission": "s1"})
    for path in ("vote", "escalate"):
        refused = client.post(f"/items/1/{path}", data=answer | {"submission": f"{path}2"})
        assert refused.status_code == 409
        assert "You have answered this item before, and that stands. This answer was not recorded." in refused.text
        assert "somebody else" not in refused.text
        assert '<p class="comment" dir="auto">as &lt;they&gt; said</p>' in refused.text


def test_who_escalates_says_why_to_whoever_decides(client: TestClient, console: Console) -> None:
    token = log_in(client, console)
    console.intake.take([submission("1")], NOW)
    page = client.post("/queues/main/next", data={"csrf": token}).text
    assert re.search(r'<button form="decide" formaction="/items/1/escalate[^>]*id="escalate">', page)
    client.post("/items/1/escalate", data={"csrf": token, "comment": "vermin is a quotation", "submission": "e1"})
    log_in(client, console, "Ben", Role.LEAD)
    shown = client.get("/items/1").text
    assert shown.index("Why it was escalated") < shown.index(">vermin is a quotation</p>")
    assert "quotation" not in client.get("/log").text, "nobody could delete it there"


def test_a_golden_item_does_not_say_that_somebody_escalated_it(client: TestClient, console: Console) -> None:
    console.settings = console.settings.model_copy(update={"gold_rate": 1.0})
    console.intake.take([submission("1", expected={"action": "block", "labels": {"racist": "yes"}})], NOW)
    for name in ("Ann", "Ben"):
        token = log_in(client, console, name)
        page = client.post("/queues/main/next", data={"csrf": token})
        assert page.url.path == "/items/1"
        assert "Your decision" in page.text
        assert "escalated" not in page.text
        client.post("/items/1/escalate", data={"csrf": token, "comment": "a quotation", "submission": name})


def test_undoing_keeps_the_order_and_the_filters(client: TestClient, console: Console) -> None:
    token = log_in(client, console)
    console.intake.take([submission("1", language="en"), submission("2", language="de")], NOW)
    page = client.post("/queues/main/next?order=random&language=de", data={"csrf": token})
    assert page.url.path == "/items/2"
    page = client.post(
        f"/items/2/vote?{page.url.query.decode()}", data={"csrf": token, "action": "allow", "label.racist": "no"}
    )
    (action,) = re.findall(r'action="(/undo[^"]*)"', page.text)
    (number,) = re.findall(r'id="undo".*?name="submission" value="([^"]+)"', page.text)
    again = client.post(action.replace("&amp;", "&"), data={"csrf": token, "submission": number})
    assert (again.url.path, again.url.params["language"], again.url.params["order"]) == ("/items/2", "de", "random")


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
    assert 'name="back" value="/items/1"' in answer.text, "the address of the form takes nothing but forms"
    assert re.search(r'value="yes" aria-label="racist: yes"\s+checked', answer.text)
    with console.database.read() as db:
        assert db.exec_driver_sql("SELECT count(*) FROM votes").scalar_one() == 0


def test_what_was_ticked_stays_when_an_answer_is_refused(client: TestClient, console: Console) -> None:
    """Else one item of six is decided, and nobody notices."""
    token = log_in(client, console)
    words = "these people should all go back to where they came from"
    console.intake.take([submission(str(n), f"{words} {'now ' * n}") for n in range(3)], NOW)
    client.post("/queues/main/next", data={"csrf": token})
    answer = {"csrf": token, "action": "block", "submission": "s1", "alike": "all", "alike.2": "yes"}
    refused = client.post("/items/1/vote", data=answer | {f"label.{name}": "no" for name in console.settings.labels})
    assert refused.status_code == 422
    assert re.search(r'name="alike" value="all"\s+checked', refused.text)
    assert re.search(r'name="alike.2" value="yes"\s+checked', refused.text)
    assert not re.search(r'name="alike.3" value="yes"\s+checked', refused.text)


def test_an_answer_to_labels_that_were_renamed_counts_for_nothing(client: TestClient, console: Console) -> None:
    """It would be kept without its labels, as that of a harmless post."""
    token = log_in(client, console)
    console.intake.take([submission("1")], NOW)
    client.post("/queues/main/next", data={"csrf": token})
    console.settings = console.settings.model_copy(update={"labels": ("toxic", "threat")})
    answer = {"csrf": token, "action": "block", "label.racist": "yes", "comment": "as they said", "submission": "s1"}
    refused = client.post("/items/1/vote", data=answer)
    assert refused.status_code == 422
    assert "The labels have changed since this page was opened; there is no longer: racist." in refused.text
    assert "as they said</textarea>" in refused.text
    assert 'name="label.toxic"' in refused.text
    assert row(console.database, 1).state == "open"


def test_an_earlier_version_says_that_it_is_one(client: TestClient, console: Console) -> None:
    log_in(client, console)
    console.intake.take([submission("1", "a threat")], NOW)
    told = "The author has edited this post since"
    assert told not in client.get("/items/1").text
    console.intake.take([submission("1", "harmless words", score=0.02)], NOW)
    assert told in client.get("/items/1").text


def test_what_people_say_of_a_post_is_masked_as_the_post_is(client: TestClient, console: Console) -> None:
    token = log_in(client, console, "Ben")
    report = {"reporter": "x", "reason": "calls us vermin"}
    console.intake.take([submission("1", "some words", report=report)], NOW)
    shown = re.findall(r'<span class="masked" dir="auto">(.*?)</span>', client.get("/items/1").text)
    assert len(shown) == 2
    assert not any("vermin" in words for words in shown)
    ann = person(console.database, "Ann")
    unsure = Ballot({"racist": Answer.UNSURE, "sexist": Answer.YES}, "block")
    cast(console.database, 1, ann, unsure)
    take_appeal(console, Appeal(id="a", post="1", reason="I only said vermin"), NOW)
    page = client.post("/queues/appeals/next", data={"csrf": token}).text
    assert not any("vermin" in words for words in re.findall(r'<span class="masked" dir="auto">(.*?)</span>', page))
    assert re.search(r'<span class="tag">racist 0\.50</span>\s+<span class="tag">sexist</span>', page)


def test_all_are_those_that_the_page_counted(client: TestClient, console: Console) -> None:
    """What comes after the page was loaded was not seen, and may say the contrary."""
    token = log_in(client, console)
    words = "everybody knows that people like these do {} lie about where they come from"
    console.intake.take([submission("1", words.format("often")), submission("2", words.format("so"))], NOW)
    page = client.post("/queues/main/next", data={"csrf": token})
    assert 'name="counted" value="2"' in page.text
    console.intake.take([submission("3", words.format("not"))], NOW)
    form = {"csrf": token, "action": "block", "label.racist": "yes", "submission": "s1", "alike": "all", "counted": "2"}
    client.post("/items/1/vote", data=form)
    assert [row(console.database, item).state for item in (1, 2, 3)] == ["decided", "decided", "open"]


def test_a_day_ends_for_items_that_are_taken_from_the_list_too(
    client: TestClient, console: Console, settings: ReviewSettings
) -> None:
    console.settings = settings.model_copy(update={"daily_limit": 1})
    token = log_in(client, console)
    console.intake.take([submission("1"), submission("2")], NOW)
    assert client.post("/items/1/claim", data={"csrf": token}).status_code == 200
    client.post("/items/1/vote", data={"csrf": token, "action": "block", "label.racist": "yes", "submission": "s1"})
    refused = client.post("/items/2/claim", data={"csrf": token})
    assert (refused.status_code, "which is the limit" in refused.text) == (409, True)


def test_an_item_whose_content_was_erased_is_not_called_decided(client: TestClient, console: Console) -> None:
    token = log_in(client, console, role=Role.ADMIN)
    console.intake.take([submission("1", author="ann")], NOW)
    assert (
        "The content of 1 item was erased" in client.post("/people/erase", data={"csrf": token, "author": "ann"}).text
    )
    page = client.get("/items/1").text
    assert "<h2>Deleted</h2>" in page
    assert "<h2>Decided</h2>" not in page
