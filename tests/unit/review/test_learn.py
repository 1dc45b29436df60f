"""Learning, on decisions whose truth is known."""

from __future__ import annotations

import pytest
from tests.unit.review.conftest import decide_all

from crossguard.evaluation.calibration.criteria import Criterion
from crossguard.review.console import Console
from crossguard.review.learn import learn
from crossguard.review.quality.reading import decided, strata
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
        learnt = learn(decided(db, None), strata(db), Criterion("f1"))
    (found,) = learnt.proposals
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
    assert any("sexist" in note for note in learnt.notes)
