"""Learning, on decisions whose truth is known."""

from __future__ import annotations

from dataclasses import replace

import pytest
from sqlalchemy import update
from tests.support.review import decision, submission
from tests.unit.review.conftest import ALLOW, BLOCK, NOW, cast, decide_all

from crossguard.decision.policy import LabelPolicy, Policy
from crossguard.errors import ConfigError, InputError
from crossguard.evaluation.calibration.criteria import Criterion
from crossguard.review.console import Console
from crossguard.review.learn import learn, of_one_policy, propose
from crossguard.review.quality.model import live
from crossguard.review.quality.reading import Decided, Sample, Stratum
from crossguard.review.settings import ReviewSettings
from crossguard.review.store.database import Database
from crossguard.review.store.people import Person
from crossguard.review.store.schema import feed, items


@pytest.fixture
def engine() -> str:
    """SQLite, unless a test says otherwise."""
    return "sqlite"


def test_learning_finds_where_people_draw_the_line(everything: ReviewSettings, database: Database) -> None:
    console = Console(everything, database)
    decide_all(console)
    with database.read() as db:
        proposals, notes = learn(db, Criterion("f1"))
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
    assert then.count < now.count < found.items  # those that are flagged
    assert any("sexist" in note for note in notes)


def test_a_review_budget_of_all_labels_is_not_learnt_for_each(everything: ReviewSettings, database: Database) -> None:
    """Each of five labels would flag that many posts."""
    console = Console(everything, database)
    with console.database.read() as db, pytest.raises(ConfigError, match=r"--feed FEED --criterion review-budget"):
        learn(db, Criterion.parse("review-budget=2%"))


def test_a_label_that_cannot_meet_the_criterion_keeps_its_threshold_and_no_other_one_from_a_new_one() -> None:
    model = ("tiny", "1", "default", "1")
    found = [
        Decided("", "block", 1.0, {"racist": n % 2, "sexist": n % 2}, scores, model, n, "text")
        for n in range(40)
        for scores in [{"racist": (0.1 + 0.8 * (n % 2), 0.5, n % 2 == 1), "sexist": (0.5, 0.5, True)}]
    ]
    proposals, notes = propose(found, [], Criterion.parse("precision>=0.9"))
    assert [proposal.label for proposal in proposals] == ["racist"]
    assert any(note.startswith("The threshold for sexist (text) stays: No threshold reaches") for note in notes)
    for item in found:
        del item.scores["racist"]
    with pytest.raises(InputError, match=r"The threshold for sexist .* the highest precision is 0\.500"):
        propose(found, [], Criterion.parse("precision>=0.9"))


def few_allowed(allowed: int, posts: int) -> tuple[list[Decided], list[Stratum]]:
    """A feed of 60 flagged posts, two thirds of them hateful, and of allowed ones in which people found nothing."""
    model = ("tiny", "1", "default", "1")
    found = [
        Decided("", "review", 1.0, {"racist": float(n % 3 > 0)}, scores, model, n, "text")
        for n in range(60)
        for scores in [{"racist": (0.5 + n / 200, 0.5, True)}]
    ]
    low = {"racist": (0.1, 0.5, False)}
    found += [Decided("", "allow-far", 0.01, {"racist": 0.0}, low, model, n, "text") for n in range(allowed)]
    samples = (Sample(0.01, allowed, 0),) if allowed else ()
    return found, [Stratum("review", 60, (Sample(1.0, 60, 40),)), Stratum("allow-far", posts, samples)]


def test_recall_is_as_uncertain_as_on_the_page_where_a_few_allowed_posts_hold_no_hateful_one() -> None:
    """It was 1.000 [1.000, 1.000]: no resample of 23 harmless posts has a hateful one, of which 2,940 may have many."""
    used, strata = few_allowed(23, 2940)
    ((found,), _), page = propose(used, strata, Criterion("f1")), live(strata).recall
    now, then = found.recall
    assert (now.value, now.high) == (page.value, page.high) == (1, 1)
    assert now.low == pytest.approx(page.low, abs=0.03)
    assert then.low is not None
    assert then.low < 0.2
    used, strata = few_allowed(0, 2940)
    ((found,), notes) = propose(used, strata, Criterion("f1"))
    assert [recall.reason for recall in found.recall] == ["nothing is decided in allow-far"] * 2
    assert found.precision[0].value == pytest.approx(2 / 3)
    assert notes[0].startswith("Of 2,940 posts in the stratum 'allow-far' none is decided")


def test_precision_is_unknown_as_on_the_page_while_a_stratum_of_flagged_posts_is_undecided() -> None:
    """It was .981 [.949, .994] where it is .502: the highest scores are decided first."""
    used, strata = few_allowed(23, 2940)
    strata.append(Stratum("block", 381))
    ((found,), notes), page = propose(used, strata, Criterion("f1")), live(strata)
    assert [precision.reason for precision in found.precision] == [page.precision.reason] * 2
    assert page.precision.reason == "nothing is decided in block"
    assert found.recall[0].value == 1
    (note,) = notes
    assert note.startswith("Of 381 posts in the stratum 'block' none is decided, so neither thresholds nor precision")
    # One erased post hides nothing, nor do posts without scores.
    strata[-1:] = [Stratum("block", 0), Stratum("failed", 50)]
    ((found,), notes) = propose(used, strata, Criterion("f1"))
    assert found.precision[0].value == pytest.approx(2 / 3)
    assert not notes


def take_under_two_policies(console: Console) -> None:
    """Forty posts that were scored under the policy "old", and as many under "new"; every second one is flagged."""
    for first, policy in ((1, "old"), (41, "new")):
        records = [decision(str(n), 0.7 if n % 2 else 0.02) | {"policy": policy} for n in range(first, first + 40)]
        console.intake.take([submission(record["id"], decision=record) for record in records], NOW)


def test_flagged_posts_of_the_policy_that_wait_are_told(
    everything: ReviewSettings, database: Database, ann: Person
) -> None:
    """A person who decides the highest scores first was told a precision of .80 where it was .50."""
    take_under_two_policies(Console(everything, database))
    for item in [*range(1, 41), *range(41, 79)]:
        cast(database, item, ann, BLOCK if item % 4 < 2 else ALLOW)
    told = "Precision is too high, and thresholds and recall may be, while 1 flagged post waits and the highest scores"
    for policy, waits in (("old", False), ("new", True)):
        with database.read() as db:
            _, notes = learn(db, Criterion("f1"), named(policy))
        assert any(note.startswith(told) for note in notes) == waits


def named(name: str, version: str = "1") -> Policy:
    return Policy(name=name, version=version, labels={"racist": LabelPolicy(threshold=0.5)})


def test_the_policy_that_is_named_chooses_the_items_and_else_the_one_that_scored_the_most() -> None:
    scored = Decided("", "review", 1.0, {}, {}, ("tiny", "1", "old", "1"), 1, "text")
    found = [scored] * 3 + [replace(scored, model=("tiny", "1", "new", version)) for version in ("1", "2", "2")]
    for policy, model, told in (
        (named("old"), scored.model, ["3 items were scored by another model, or under another policy than 'old'"]),
        (named("new", "2"), ("tiny", "1", "new", "2"), ["4 items"]),
        (named("new", "3"), scored.model, ["No decided item was scored under the policy 'new' (version 3)", "3 items"]),
        (None, scored.model, ["3 items"]),
    ):
        used, notes = of_one_policy(found, policy)
        assert {item.model for item in used} == {model}
        assert [note.startswith(begin) for note, begin in zip(notes, told, strict=True)] == [True] * len(told)
    assert of_one_policy(found[:1], named("old")) == (found[:1], [])
    with pytest.raises(InputError, match="No decided item has scores yet"):
        of_one_policy([], None)


@pytest.mark.parametrize("engine", ["sqlite", "postgresql"])
@pytest.mark.parametrize("decided_by_old", [20, 40])
def test_recall_is_that_of_the_posts_that_the_policy_scored(
    everything: ReviewSettings, database: Database, ann: Person, decided_by_old: int
) -> None:
    """However many posts another one scored, and however far the queue is worked off."""
    take_under_two_policies(Console(everything, database))
    with database.write() as tx:  # of the allowed ones, a tenth was taken
        tx.execute(update(items).where(items.c.stratum == "allow-far").values(inclusion=0.1))
        tx.execute(update(feed).where(feed.c.stratum == "allow-far").values(posts=400))
    for item in [*range(1, 1 + decided_by_old), *range(41, 81)]:
        cast(database, item, ann, BLOCK if item % 4 < 2 else ALLOW)
    for policy, others in (("old", 40), ("new", decided_by_old)):
        with database.read() as db:
            (found,), notes = learn(db, Criterion("f1"), named(policy))
        assert notes[0].startswith(f"{others} items were scored by another")
        assert (found.precision[0].value, found.recall[0].value) == pytest.approx((10 / 20, 10 / 110))


def test_items_that_another_policy_has_moved_are_told(
    everything: ReviewSettings, database: Database, ann: Person
) -> None:
    """A sampled post stands for itself alone once another policy flags all of its kind, so recall is too high."""
    intake = Console(everything, database).intake
    for policy, allowed in (("old", 0.02), ("new", 0.7)):
        records = [decision(str(n), 0.7 if n % 2 else allowed) | {"policy": policy} for n in range(1, 41)]
        intake.take([submission(record["id"], decision=record) for record in records], NOW)
    for item in range(1, 41):
        cast(database, item, ann, BLOCK if item % 4 < 2 else ALLOW)
    with database.read() as db:
        _, notes = learn(db, Criterion("f1"), named("old"))
    assert notes[0].startswith("20 of these items were scored again under another policy")


def test_a_policy_that_scored_too_little_yet_says_what_was_left_out(
    everything: ReviewSettings, database: Database, ann: Person
) -> None:
    intake = Console(everything, database).intake
    records = [decision(str(n), 0.7) | {"policy": "new" if n < 4 else "old"} for n in range(1, 41)]
    intake.take([submission(record["id"], decision=record) for record in records], NOW)
    for item in range(1, 41):
        cast(database, item, ann, BLOCK if item % 2 else ALLOW)
    with database.read() as db, pytest.raises(InputError, match=r"among 3\. Decide more\. 37 items were scored by an"):
        learn(db, Criterion("f1"), named("new"))
