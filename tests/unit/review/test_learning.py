"""Export, learning and the quality figures, on decisions whose truth is known."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
from sklearn.metrics import cohen_kappa_score
from sqlalchemy import select, update
from tests.support.review import submission
from tests.unit.review.conftest import NOW, person

from crossguard.bundle import read_bundle
from crossguard.cli import run
from crossguard.decision.policy import Kind
from crossguard.evaluation.annotated import read_annotated
from crossguard.evaluation.calibration.criteria import Criterion
from crossguard.evaluation.calibration.policy import write_policy
from crossguard.labels import HATE
from crossguard.moderator import resolve_policy
from crossguard.registry import find
from crossguard.review.console import Console
from crossguard.review.export import export
from crossguard.review.learn import learn, policy_file
from crossguard.review.quality import agreement, model, recall
from crossguard.review.quality.reading import Decided, backlog, decided, per_day, strata
from crossguard.review.quality.recall import Stratum
from crossguard.review.resolution import Answer, Ballot
from crossguard.review.settings import ReviewSettings
from crossguard.review.store import claims, votes
from crossguard.review.store.database import Database
from crossguard.review.store.schema import items

LABELS = HATE.names


@pytest.fixture
def engine() -> str:
    """SQLite, unless a test says otherwise."""
    return "sqlite"


def decide_all(console: Console, posts: int = 200, hateful_from: float = 0.6) -> None:
    """Posts with even scores; a person finds those hateful that score at least `hateful_from`, with a little noise."""
    chance = np.random.default_rng(1)
    scores = [(index + 0.5) / posts for index in range(posts)]
    console.intake.take([submission(str(i), f"words {i:b}", score=score) for i, score in enumerate(scores)], NOW)
    ann = person(console.database, "Ann")
    with console.database.write() as tx:
        for item in range(1, posts + 1):
            assert claims.claim(tx, item, ann.id, NOW, 600)
            hateful = (scores[item - 1] >= hateful_from) != (chance.random() < 0.05)
            answers = dict.fromkeys(LABELS, Answer.NO) | {"racist": Answer.YES if hateful else Answer.NO}
            ballot = Ballot(answers, "block" if hateful else "allow")
            votes.cast(tx, item, ann, ballot, submission=f"s{item}", now=NOW)


@pytest.fixture
def everything(settings: ReviewSettings) -> ReviewSettings:
    return settings.model_copy(update={"audit_rate": 1.0, "audit_rate_near": 1.0})


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


@pytest.mark.parametrize(
    ("engine", "suffix"), [("sqlite", ".jsonl"), ("sqlite", ".csv"), ("sqlite", ".parquet"), ("postgresql", ".parquet")]
)
def test_the_export_is_what_calibrate_reads(
    everything: ReviewSettings, database: Database, tmp_path: Path, suffix: str
) -> None:
    console = Console(everything, database)
    decide_all(console, posts=40)
    out = tmp_path / f"decided{suffix}"
    assert export(database, LABELS, out).rows == 40
    annotated = read_annotated(out, LABELS)
    assert len(annotated) == 40
    assert 10 < np.nansum(annotated.truth[:, 0]) < 25
    assert set(annotated.columns["split"]) <= {"train", "val", "test"}
    if suffix == ".csv":
        with out.open() as file:
            assert next(csv.DictReader(file))["votes"] == "1"


def test_learn_on_the_command_line_writes_only_when_told(
    everything: ReviewSettings, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    database = Database.open("review.sqlite")
    decide_all(Console(everything, database))
    options = ["review", "--database", "review.sqlite", "learn"]
    assert run(options) == 0
    assert "racist" in capsys.readouterr().out
    assert list(tmp_path.glob("*.yaml")) == []
    assert run([*options, "--criterion", "precision>=0.9", "-o", "learnt.yaml"]) == 0
    policy = (tmp_path / "learnt.yaml").read_text()
    assert "base: default" in policy
    assert run(["review", "--database", "review.sqlite", "learn", "--criterion", "nonsense"]) == 5


def test_learning_needs_decisions(database: Database, tmp_path: Path) -> None:
    database.close()
    assert run(["review", "--database", str(tmp_path / "review.sqlite"), "learn"]) == 3


def test_results_are_joined_to_their_posts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    posts, results = tmp_path / "posts.jsonl", tmp_path / "results.jsonl"
    texts = [submission(str(index), score=0.7) for index in range(3)]
    posts.write_text("".join(json.dumps({"id": t.id, "text": t.text, "author": "a"}) + "\n" for t in texts))
    results.write_text("".join(json.dumps(t.decision) + "\n" for t in texts))
    command = ["review", "--database", str(tmp_path / "r.sqlite"), "import", str(posts), "--results", str(results)]
    assert run(command) == 0
    assert "3 items wait" in capsys.readouterr().err
    assert run(command) == 0
    assert "0 items wait, 3 were there" in capsys.readouterr().err
    results.write_text(json.dumps(texts[1].decision) + "\n")
    assert run(command) == 3
    assert "does not fit" in capsys.readouterr().err


def test_suggestions_become_votes_that_decide_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "suggestions.jsonl"
    line = {"time": "2026-11-26T01:00:00+00:00", "text": "Go away, all of you.", "attributes": {"TOXICITY": 0.9}}
    more = {"community_id": None, "client_token": None}
    lines = [line | more | {"caller": caller} for caller in ("forum", "blog", "forum")]
    file.write_text("".join(json.dumps(entry) + "\n" for entry in lines))
    store = str(tmp_path / "r.sqlite")
    command = ["review", "--database", store, "--model", "none", "import", "--suggestions", str(file)]
    assert run(command) == 0
    assert "1 items wait" in capsys.readouterr().err
    assert run(command) == 0
    with Database.open(store).read() as db:
        (row,) = db.execute(select(items)).all()
        said = [(vote.kind, vote.person, vote.labels) for vote in votes.of(db, row.id)]
        assert votes.standing(db, row.id) == []
    assert (row.kind, row.queue, row.state, row.reports) == ("report", "main", "open", 0)
    assert said == [("suggest", None, {"TOXICITY": 0.9})] * 2
    file.write_text('{"text": 3}\n')
    assert run(command) == 3
    assert "line 1 is no suggestion" in capsys.readouterr().err


def test_fleiss_and_alpha_agree_with_published_examples() -> None:
    # J. L. Fleiss, "Measuring nominal scale agreement among many raters" (1971), as in every textbook: kappa 0.210.
    table = [
        [0, 0, 0, 0, 14], [0, 2, 6, 4, 2], [0, 0, 3, 5, 6], [0, 3, 9, 2, 0], [2, 2, 8, 1, 1],
        [7, 7, 0, 0, 0], [3, 2, 6, 3, 0], [2, 5, 3, 2, 2], [6, 5, 2, 1, 0], [0, 2, 2, 3, 7],
    ]  # fmt: skip
    assert agreement.fleiss_kappa(np.array(table), np.ones((1, 10)))[0] == pytest.approx(0.210, abs=0.0005)
    # K. Krippendorff, "Computing Krippendorff's alpha-reliability" (2011), section C: binary, two observers, 0.095.
    pairs = [(0, 1), (1, 1), (0, 1), (0, 0), (0, 0), (0, 1), (0, 0), (0, 0), (1, 0), (0, 0)]
    counts = np.array([[2 - a - b, a + b] for a, b in pairs])
    assert agreement.krippendorff_alpha(counts, np.ones((1, 10)))[0] == pytest.approx(0.095, abs=0.0005)


def test_agreement_of_people_who_agree_is_one_and_of_dice_is_none() -> None:
    chance = np.random.default_rng(3)
    same = {item: dict.fromkeys((1, 2), item % 2 == 0) for item in range(60)}
    dice = {item: {1: bool(chance.random() < 0.5), 2: bool(chance.random() < 0.5)} for item in range(400)}
    assert agreement.agreement(same).alpha.value == pytest.approx(1.0)
    found = agreement.agreement(dice).fleiss
    assert found.low is not None
    assert found.high is not None
    assert found.low < 0 < found.high
    assert agreement.agreement({}).alpha.value is None


def test_cohens_kappa_is_that_of_scikit_learn() -> None:
    chance = np.random.default_rng(4)
    first = chance.random(300) < 0.3
    second = np.where(chance.random(300) < 0.8, first, ~first)
    found = agreement.cohen_kappa(zip(first.tolist(), second.tolist(), strict=True))
    assert found.value == pytest.approx(cohen_kappa_score(first, second))
    assert found.low is not None
    assert found.high is not None
    assert found.value is not None
    assert found.low < found.value < found.high
    assert agreement.cohen_kappa([(True, True)] * 9).value is None


def test_the_recall_estimate_holds_the_truth_in_its_interval() -> None:
    """200 feeds with known recall: the interval holds it about 95 times of 100."""
    random_ = np.random.default_rng(5)
    held = 0
    for _ in range(200):
        flagged, far = random_.binomial(400, 0.6), random_.binomial(10_000, 0.01)
        sampled = random_.hypergeometric(far, 10_000 - far, 500)
        found = recall.live(
            [
                Stratum("review", flagged=True, posts=400, checked=400, hateful=flagged),
                Stratum("allow-far", flagged=False, posts=10_000, checked=500, hateful=sampled),
            ]
        )
        truth = flagged / (flagged + far)
        assert found.recall.low is not None
        assert found.recall.high is not None
        held += found.recall.low <= truth <= found.recall.high
    assert 180 <= held <= 200


def test_sampled_posts_stand_for_those_that_were_not_taken(console: Console, database: Database) -> None:
    near = {"stratum": "allow-far", "inclusion": 0.1, "score": 0.1}
    console.intake.take([submission("1", score=0.9), submission("2", score=0.9)], NOW)
    with database.write() as tx:
        tx.execute(update(items).where(items.c.external == "2").values(**near))
    with database.read() as db:
        today = per_day(db, NOW)[-1]
        ages = dict(backlog(db, NOW + 7200))
    assert today.score.value == pytest.approx((0.9 + 10 * 0.1) / 11)
    assert 0.3 < (today.score.high or 0) < 0.4, "few posts tell little"
    assert (today.came, ages["< 6 h"], ages["< 1 h"]) == (2, 2, 0)


def test_recall_is_unknown_while_nothing_allowed_was_checked() -> None:
    found = recall.live(
        [
            Stratum("review", flagged=True, posts=400, checked=400, hateful=200),
            Stratum("allow-far", flagged=False, posts=10_000, checked=0, hateful=0),
        ]
    )
    assert found.recall.value is None
    assert found.precision.value == 0.5
    assert found.missing == ["allow-far"]


def test_false_positive_rates_per_group_count_harmless_posts_by_what_they_stand_for() -> None:
    def post(text: str, *, flagged: bool, inclusion: float = 1.0, hateful: bool = False) -> Decided:
        truth, scores = {"religion": float(hateful)}, {"religion": (0.9 if flagged else 0.1, 0.5, flagged)}
        return Decided(text, "review", inclusion, truth, scores, ("tiny", "1", "default", "1"), 1, "text")

    found = [
        *(post("my Muslim neighbours", flagged=True) for _ in range(10)),
        *(post("a Muslim holiday", flagged=False, inclusion=0.1) for _ in range(10)),
        *(post("the Muslim vote", flagged=True, hateful=True) for _ in range(30)),
        *(post("women at work", flagged=False) for _ in range(6)),
        *(post("a Jewish bakery", flagged=True) for _ in range(4)),
    ]
    (muslim, rate), (women, none) = model.false_positive_rates(found)
    assert (muslim, women) == ("Muslim", "women"), "the worst first; four posts are too few"
    assert rate.value == pytest.approx(10 / 110)
    assert rate.count == 20
    assert none.value == 0
    for estimate in (rate, none):
        assert estimate.low is not None
        assert estimate.high is not None
        assert 0 <= estimate.low <= (estimate.value or 0) < estimate.high <= 1
