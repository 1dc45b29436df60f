"""Learning, on decisions whose truth is known, and what was learnt as a policy file."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import get_args

import pytest
from sqlalchemy import update
from tests.support.review import decision, submission
from tests.unit.review.conftest import ALLOW, BLOCK, NOW, cast, decide_all

from crossguard.bundle import read_bundle
from crossguard.decision.policy import Kind, LabelPolicy, Policy
from crossguard.errors import BundleError, ConfigError, InputError
from crossguard.evaluation.calibration.criteria import Criterion
from crossguard.evaluation.calibration.policy import write_policy
from crossguard.evaluation.estimates import Estimate
from crossguard.moderator import resolve_policy
from crossguard.registry import find
from crossguard.review.console import Console
from crossguard.review.learn import Proposal, learn, of_one_policy, policy_file, propose
from crossguard.review.quality.model import live
from crossguard.review.quality.reading import Decided, Sample, Stratum
from crossguard.review.settings import ReviewSettings
from crossguard.review.store.database import Database
from crossguard.review.store.people import Person
from crossguard.review.store.schema import feed, items

RULES = """\
name: mine
version: "1"
labels: {racist: {threshold: 0.6, review: null, block: null}}
inputs: {both: {racist: {threshold: 0.3}}, image: {racist: {threshold: 0.6}}}
"""
BANDS = """\
name: mine
version: "1"
labels: {racist: {threshold: 0.6, review: 0.5, block: 0.7}}
"""


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


def test_flagged_posts_of_the_policy_that_wait_are_told(
    everything: ReviewSettings, database: Database, ann: Person
) -> None:
    """A person who decides the highest scores first was told a precision of .80 where it was .50."""
    intake = Console(everything, database).intake
    for first, policy in ((1, "old"), (41, "new")):
        records = [(str(n), decision(str(n), 0.7 if n % 2 else 0.02)) for n in range(first, first + 40)]
        intake.take([submission(name, decision=record | {"policy": policy}) for name, record in records], NOW)
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
    intake = Console(everything, database).intake
    for first, policy in ((1, "old"), (41, "new")):
        records = [(str(n), decision(str(n), 0.7 if n % 2 else 0.02)) for n in range(first, first + 40)]
        intake.take([submission(name, decision=record | {"policy": policy}) for name, record in records], NOW)
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
    proposals, _ = propose(found, [], Criterion("f1"))
    proposed = {proposal.kinds: proposal.proposed for proposal in proposals}
    assert proposed == {("text",): pytest.approx(0.8, abs=0.01), ("both",): pytest.approx(0.5, abs=0.01)}
    write_policy(policy_file("compact", str(old), proposals, "learnt", "test"), path)
    changed = resolve_policy(bundle, str(path))
    thresholds = {kind: changed.rules(kind)["racist"].threshold for kind in get_args(Kind)}
    # What nobody judged stays as it was: images, and the other labels.
    assert thresholds == {**{kind: pytest.approx(line, abs=0.01) for kind, line in lines.items()}, "image": 0.6}
    assert changed.rules("both")["sexist"].threshold == pytest.approx(rules.rules("both")["sexist"].threshold, abs=1e-5)


def proposal(current: float, proposed: float, *kinds: Kind) -> Proposal:
    none = (Estimate(None), Estimate(None))
    return Proposal("racist", kinds, 50, 20, current, proposed, (proposed, proposed), none, none, (0, 0), (0, 0))


@pytest.mark.parametrize(
    ("proposed", "review", "block"), [(0.65, 0.5, 0.7), (0.4, 0.4, 0.7), (0.8, 0.5, 0.8), (0.123456789, 0.123457, 0.7)]
)
def test_bands_stay_as_far_as_their_order_allows(tmp_path: Path, proposed: float, review: float, block: float) -> None:
    (tmp_path / "mine.yaml").write_text(BANDS)
    made = policy_file("compact", str(tmp_path / "mine.yaml"), [proposal(0.6, proposed, "text")], "learnt", "test")
    given = made.labels["racist"].given()
    assert [given[band] for band in ("threshold", "review", "block")] == [round(proposed, 6), review, block]


@pytest.mark.parametrize(
    ("rules", "proposed", "learnt", "told"),
    [
        ("{review: 0.5}", 0.45, (0.45, 0.45, 0.7), ["review of racist moves from 0.5 to the new threshold 0.45"]),
        ("{review: 0.5}", 0.55, (0.55, 0.5, 0.7), []),
        ("{block: 0.65}", 0.8, (0.8, 0.5, 0.8), ["block of racist moves from 0.65 to the new threshold 0.8"]),
        ("{threshold: 0.62, review: 0.61, block: 0.65}", 0.45, (0.62, 0.61, 0.65), []),
        ("{review: null}", 0.45, (0.45, None, 0.7), []),
    ],
)
def test_bands_of_a_tenant_keep_their_order(
    tmp_path: Path, rules: str, proposed: float, learnt: tuple[float | None, ...], told: list[str]
) -> None:
    """A file in which one tenant's bands are out of order is refused for everybody."""
    (tmp_path / "mine.yaml").write_text(f"{BANDS}tenants: {{kids: {{racist: {rules}}}, empty: {{}}}}\n")
    notes = list[str]()
    found = [proposal(0.6, proposed, "text")]
    made = policy_file("compact", str(tmp_path / "mine.yaml"), found, "learnt", "test", note=notes.append)
    write_policy(made, tmp_path / "learnt.yaml")
    kids = resolve_policy(read_bundle(find("compact", None), verify=False), str(tmp_path / "learnt.yaml"), "kids")
    rule = kids.labels["racist"]
    assert (rule.threshold, rule.review, rule.block) == learnt
    assert notes == [f"Tenant 'kids': {sentence}." for sentence in told]


def test_bands_of_a_tenant_keep_to_the_threshold_of_each_kind_of_input(tmp_path: Path) -> None:
    tenants = "tenants: {kids: {racist: {review: 0.28, block: 0.7}}}\n"
    (tmp_path / "mine.yaml").write_text(RULES + tenants)
    found = [proposal(0.3, 0.2, "both"), proposal(0.6, 0.8, "image")]
    with pytest.warns(UserWarning, match="moves from"):
        made = policy_file("compact", str(tmp_path / "mine.yaml"), found, "learnt", "test")
    write_policy(made, tmp_path / "learnt.yaml")
    bundle = read_bundle(find("compact", None), verify=False)
    kids = resolve_policy(bundle, str(tmp_path / "learnt.yaml"), "kids")
    for kind in get_args(Kind):
        assert (kids.rules(kind)["racist"].review, kids.rules(kind)["racist"].block) == (0.2, 0.8)


def test_what_another_policy_scored_is_refused(tmp_path: Path) -> None:
    """Its thresholds would not be in the file, and nobody would notice."""
    (tmp_path / "mine.yaml").write_text(BANDS)
    for policy in (str(tmp_path / "mine.yaml"), "default"):
        with pytest.raises(
            ConfigError, match=r"scored with the threshold 0.55 for racist, which the policy '\w+' does"
        ):
            policy_file("compact", policy, [proposal(0.55, 0.9, "text")], "learnt", "test")


def test_all_else_of_a_policy_file_stays(tmp_path: Path) -> None:
    more = (
        "attributes: {threat: {threshold: 0.2, block: 0.3}}\ntenants: {kids: {sexist: {threshold: 0.1, block: 0.2}}}\n"
    )
    (tmp_path / "mine.yaml").write_text(BANDS + more)
    made = policy_file("compact", str(tmp_path / "mine.yaml"), [proposal(0.6, 0.5, "text")], "learnt", "test")
    write_policy(made, tmp_path / "learnt.yaml")
    bundle = read_bundle(find("compact", None), verify=False)
    kids = resolve_policy(bundle, str(tmp_path / "learnt.yaml"), "kids")
    assert kids.attributes["threat"].block == 0.3
    assert (kids.labels["sexist"].threshold, kids.labels["racist"].threshold) == (0.1, 0.5)


def test_the_file_says_what_it_rests_on(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text(BANDS)
    made = policy_file("compact", str(tmp_path / "mine.yaml"), [proposal(0.6, 0.5, "text")], "learnt", "the command")
    assert (made.name, made.base) == ("learnt", "default")
    assert made.provenance["command"] == "the command"
    assert made.provenance["fitted_on"][0]["posts"] == 50
    model = read_bundle(find("compact", None), verify=False).identity
    assert made.provenance["model"] == model
    # Maps that were fitted to another model stay, and so does what is told of them.
    (tmp_path / "mine.yaml").write_text(f"{BANDS}provenance: {{model: {{name: compact, version: 0.1.0}}}}\n")
    made = policy_file("compact", str(tmp_path / "mine.yaml"), [proposal(0.6, 0.5, "text")], "learnt", "test")
    assert made.provenance["model"] == {"name": "compact", "version": "0.1.0"}


def test_an_unknown_model_or_policy_is_refused() -> None:
    with pytest.raises(BundleError):
        policy_file("kompact", "default", [proposal(0.6, 0.5, "text")], "learnt", "")
    with pytest.raises(ConfigError):
        policy_file("compact", "defalt", [proposal(0.6, 0.5, "text")], "learnt", "")
