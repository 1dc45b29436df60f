"""Learning, on decisions whose truth is known."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import pytest
from tests.unit.review.conftest import decide_all

from crossguard.bundle import read_bundle
from crossguard.decision.policy import Kind
from crossguard.evaluation.calibration.criteria import Criterion
from crossguard.evaluation.calibration.policy import write_policy
from crossguard.moderator import resolve_policy
from crossguard.registry import find
from crossguard.review.console import Console
from crossguard.review.learn import learn, policy_file
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


RULES = """\
name: mine
version: "1"
labels: {racist: {threshold: 0.6, review: null, block: null}}
inputs: {both: {racist: {threshold: 0.3}}, image: {racist: {threshold: 0.6}}}
"""


def test_each_rule_of_the_policy_gets_a_threshold_of_its_own(tmp_path: Path) -> None:
    """A policy may ask for less of a post with text and image; people draw another line there."""
    old, path = tmp_path / "old.yaml", tmp_path / "learnt.yaml"
    old.write_text(RULES)
    bundle = read_bundle(find("compact", None), verify=False)
    rules = resolve_policy(bundle, str(old))
    lines: dict[Kind, float] = {"text": 0.8, "both": 0.5}
    found = []
    for kind, line in lines.items():
        threshold = rules.rules(kind)["racist"].threshold
        for index in range(100):
            score = (index + 0.5) / 100
            scores = {"racist": (score, threshold, score >= threshold)}
            truth = {"racist": float(score >= line)}
            found.append(Decided("", "review", 1.0, truth, scores, ("compact", "1", "mine", "1"), index, kind))
    learnt = learn(found, [], Criterion("f1"))
    proposed = {proposal.kinds: proposal.proposed for proposal in learnt.proposals}
    assert proposed == {("text",): pytest.approx(0.8, abs=0.01), ("both",): pytest.approx(0.5, abs=0.01)}
    write_policy(policy_file("compact", str(old), learnt.proposals, "learnt", "test"), path)
    changed = resolve_policy(bundle, str(path))
    thresholds = {kind: changed.rules(kind)["racist"].threshold for kind in get_args(Kind)}
    # What nobody judged stays as it was: images, and the other labels.
    assert thresholds == {**{kind: pytest.approx(line, abs=0.01) for kind, line in lines.items()}, "image": 0.6}
    assert changed.rules("both")["sexist"].threshold == pytest.approx(rules.rules("both")["sexist"].threshold, abs=1e-5)
