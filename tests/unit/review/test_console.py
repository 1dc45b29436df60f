"""What a decision needs, and the clauses that it may rest on."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pytest
from tests.support.decisions import failed
from tests.support.review import submission
from tests.unit.review.conftest import NOW

from crossguard.errors import ConfigError
from crossguard.labels import HATE
from crossguard.records import Decision, Post, PostFailure
from crossguard.review.console import Console, kind_of, read_clauses
from crossguard.review.errors import FormError
from crossguard.review.resolution import Answer
from crossguard.review.settings import ReviewSettings
from crossguard.review.store.database import Database
from crossguard.review.submissions import Submission


@pytest.fixture
def engine() -> str:
    return "sqlite"


@pytest.fixture
def settings() -> ReviewSettings:
    return ReviewSettings(model="none", labels=("racist", "sexist"), required=("labels", "clause", "comment"))


WHOLE = {"action": "block", "clause": "racist", "comment": " why ", "label.racist": "yes", "label.sexist": "unsure"}


def test_a_whole_form_is_a_ballot(console: Console) -> None:
    found = console.ballot(WHOLE)
    assert found.labels == {"racist": Answer.YES, "sexist": Answer.UNSURE}
    assert (found.action, found.clause, found.comment) == ("block", "racist", "why")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"action": "bloc"}, "Did you mean 'block'"),
        ({"action": ""}, "Choose an action: allow, block"),
        ({"clause": "7"}, "Unknown clause '7'"),
        ({"label.sexist": ""}, "missing: sexist"),
        ({"label.sexist": "maybe"}, "Unknown answer for sexist 'maybe'"),
        ({"comment": "x" * 4001}, "at most 4,000 characters"),
        ({"comment": ""}, "Write a comment"),
    ],
)
def test_what_is_wrong_with_a_form_is_said(console: Console, change: dict[str, str], said: str) -> None:
    with pytest.raises(FormError, match=said):
        console.ballot(WHOLE | change)


NO = {"label.racist": "no", "label.sexist": "no"}


def test_a_post_is_not_blocked_for_no_label_by_accident(database: Database) -> None:
    console = Console(ReviewSettings(model="none", labels=("racist", "sexist")), database)
    with pytest.raises(FormError, match=r"no to every label.*makes it 'block'"):
        console.ballot(NO | {"action": "block"})
    for change in ({"action": "allow"}, {"clause": "racist"}, {"comment": "spam"}, {"label.racist": "unsure"}):
        assert console.ballot(NO | {"action": "block"} | change).labels.keys() == {"racist", "sexist"}
    with pytest.raises(FormError, match="Answer every label; missing: racist, sexist"):
        console.ballot({"action": "block"})


def test_an_answer_to_labels_of_before_is_refused(console: Console) -> None:
    with pytest.raises(FormError, match=r"labels have changed.*no longer: toxic, threat\."):
        console.ballot(WHOLE | {"label.toxic": "yes", "label.threat": "no"})


def test_all_problems_are_told_at_once(console: Console) -> None:
    with pytest.raises(FormError, match=r"Choose an action.*Answer every label.*Choose the clause.*Write a comment"):
        console.ballot({})


def test_clauses_come_from_the_labels_or_from_a_file(tmp_path: Path) -> None:
    made = read_clauses(None, ("racist", "hate speech"))
    assert [(clause.id, clause.title) for clause in made] == [("racist", "racist"), ("hate speech", "hate speech")]
    assert [clause.text for clause in made] == ["Attacks people for their race, ethnicity or origin.", ""]
    file = tmp_path / "policy.yaml"
    file.write_text("clauses: [{id: '1.2', title: Insults}]\n")
    assert [(clause.id, clause.title) for clause in read_clauses(file, HATE.names)] == [("1.2", "Insults")]
    file.write_text("clauses: []\n")
    with pytest.raises(ConfigError, match="clauses"):
        read_clauses(file, HATE.names)


def test_a_clock_that_is_set_back_does_not_stop_the_count(console: Console, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("crossguard.review.console.MANY", 0)
    with console.database.read() as db:
        assert console.waiting(db, NOW + 86_400) == {}
    console.intake.take([submission("1")], NOW)
    with console.database.read() as db:
        assert console.waiting(db, NOW) == {"main": (1, NOW)}


def test_a_post_that_lacks_an_image_is_not_scored_and_says_which(console: Console) -> None:
    scored: list[Post] = []

    class Model:
        def score(self, posts: Iterable[Post]) -> list[Decision]:
            scored.extend(posts)
            return [failed(post.id) for post in scored]

    console.settings = console.settings.model_copy(update={"model": "compact"})
    console._model = Model()  # type: ignore[assignment]
    console.with_decisions([Submission(id="1", text="words", images=("missing:No such image: 'a.png'.",))])
    assert [post.error for post in scored] == [PostFailure("image_not_found", "No such image: 'a.png'.")]


def test_the_clauses_are_those_of_the_labels_that_are_asked_for(console: Console) -> None:
    assert console.ballot(WHOLE | {"clause": "sexist"}).clause == "sexist"
    with pytest.raises(FormError, match="Unknown clause 'religion'"):
        console.ballot(WHOLE | {"clause": "religion"})


def test_without_a_model_bands_are_unknown(database: Database, settings: ReviewSettings) -> None:
    record = {"modality_weights": {"text": 0.4, "image": 0.6}, "policy": "default", "policy_version": "1"}
    assert kind_of(record) == "both"
    assert Console(settings, database).bands_of(record) == {}
