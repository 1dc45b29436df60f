"""Learning, on decisions whose truth is known."""

from __future__ import annotations

import pytest
from tests.unit.review.conftest import decide_all

from crossguard.errors import InputError
from crossguard.evaluation.calibration.criteria import Criterion
from crossguard.review.console import Console
from crossguard.review.learn import learn
from crossguard.review.quality.reading import Decided, decided, strata
from crossguard.review.settings import ReviewSettings
from crossguard.review.store.database import Database


@pytest.fixture
def engine() -> str:
    """SQLite, unless a test says otherwise."""
    return "sqlite"


def test_learning_finds_where_people_draw_the_line(everything: ReviewSettings, database: Database) -> None:
    console = Console(everything, database)
    decide_all(console)
    with database.read() as db:
        proposals, notes = learn(decided(db, None), strata(db), Criterion("f1"))
    (found,) = proposals
    assert found.label == "racist"
    assert found.current == 0.5
    assert found.proposed == pytest.approx(0.6, abs=0.03)
    assert found.interval[0] <= found.proposed <= found.interval[1]
    assert found.no_longer[0] == pytest.approx(20, abs=6)
    assert found.no_longer[1] <= 3
    now, then = found.precision
    assert now.value is not None
    assert then.value is not None
    assert then.value > now.value
    assert any("sexist" in note for note in notes)


def test_a_label_that_cannot_meet_the_criterion_keeps_its_threshold_and_no_other_one_from_a_new_one() -> None:
    model = ("tiny", "1", "default", "1")
    found = [
        Decided("", "block", 1.0, {"racist": n % 2, "sexist": n % 2}, scores, model, n, "text")
        for n in range(40)
        for scores in [{"racist": (0.1 + 0.8 * (n % 2), 0.5, n % 2 == 1), "sexist": (0.5, 0.5, True)}]
    ]
    proposals, notes = learn(found, [], Criterion.parse("precision>=0.9"))
    assert [proposal.label for proposal in proposals] == ["racist"]
    assert any(note.startswith("The threshold for sexist (text) stays: No threshold reaches") for note in notes)
    for item in found:
        del item.scores["racist"]
    with pytest.raises(InputError, match=r"The threshold for sexist .* the highest precision is 0\.500"):
        learn(found, [], Criterion.parse("precision>=0.9"))
