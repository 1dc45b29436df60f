from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from crossguard.decision.policy import Policy
from crossguard.decision.policy_file import LabelOverride, PolicyFile
from crossguard.errors import InputError
from crossguard.evaluation.annotated import Annotated, read_annotated
from crossguard.evaluation.calibration.fitting import Plan
from crossguard.evaluation.comparison import paired_differences
from crossguard.evaluation.leakage import sketch
from crossguard.evaluation.measuring import EvaluationRequest, leak_warnings, measure_model, measure_scores
from crossguard.evaluation.runs import read_run, write_run
from crossguard.evaluation.score_tables import GivenScores
from crossguard.labels import HATE
from crossguard.moderator import Moderator
from crossguard.records import Post

FEW = EvaluationRequest(rounds=20)


def test_figures_are_those_of_the_moderators_own_decisions(tiny: Moderator, annotated: Annotated) -> None:
    run, scored = measure_model(tiny, annotated, FEW)
    for row, decision in enumerate(tiny.score(annotated.posts)):
        assert decision.ok
        assert decision.id == run.sample.ids[row]
        np.testing.assert_allclose(run.sample.scores[row], list(decision.scores.values()), atol=1e-5)
        assert [n for n, f in zip(HATE.names, run.sample.flags[row], strict=True) if f] == list(decision.flags)
    assert scored.seconds > 0


def test_flags_follow_the_thresholds_of_each_kind_of_input(tiny: Moderator, annotated: Annotated) -> None:
    bands = {
        "both": {"racist": {"threshold": 0.0, "review": None}},
        "image": {"sexist": {"threshold": 0.9, "block": None}},
    }
    policy = Policy(**(tiny.policy.model_dump() | {"inputs": bands}))
    moderator = tiny.with_policy(policy)
    run, _ = measure_model(moderator, annotated, FEW)
    for row, decision in enumerate(moderator.score(annotated.posts)):
        assert [n for n, f in zip(HATE.names, run.sample.flags[row], strict=True) if f] == list(decision.flags)
    with_image = [post.image is not None for post in annotated.posts]
    assert run.sample.flags[with_image, HATE.names.index("racist")].all()
    assert "posts with an image have others" in run.facts.thresholds_from


def test_each_modality_alone_is_measured_on_the_posts_that_have_both(tiny: Moderator, annotated: Annotated) -> None:
    run, _ = measure_model(tiny, annotated, FEW)
    views = [name for name in run.variants if "with text and image" in name]
    assert [name.split(",")[0] for name in views] == ["fused", "text-only", "image-only"]
    assert {run.variants[name].posts for name in views} == {60}
    assert len({run.variants[name].overall["roc_auc_micro"].value for name in views}) == 3


def test_many_copies_are_told(tmp_path: Path) -> None:
    table = tmp_path / "posts.csv"
    table.write_text("id,text,racist\n" + "".join(f"{row},text {row % 15},{row % 2}\n" for row in range(60)))
    posts = read_annotated(table, ["racist"], words=False)
    given = GivenScores(np.full((60, 1), 0.4), np.zeros((60, 1), dtype=np.bool_), {}, "elsewhere")
    (told,) = measure_scores(given, posts, FEW).warnings
    assert told.startswith("Of 60 posts, 45 repeat the words of another, or without words its image.")
    few = posts.take(np.array([*range(16)]))
    given = replace(given, scores=given.scores[:16], flags=given.flags[:16])
    assert measure_scores(given, few, FEW).warnings == ()


def test_other_answers_than_a_training_run_had_are_told(tmp_path: Path) -> None:
    (tmp_path / "posts.csv").write_text("id,text,racist,sexist\n1,a,0.3,0\n2,b,0,1\n3,c,1,\n")
    known = np.array([[1, 0], [0, np.nan], [1, 1]])
    given = GivenScores(np.full((3, 2), 0.4), np.zeros((3, 2), dtype=np.bool_), {}, "elsewhere", answers=known)
    told, *_ = measure_scores(given, read_annotated(tmp_path / "posts.csv", ["racist", "sexist"]), FEW).warnings
    assert told.startswith("The training run had other answers to 1 of 3 posts (racist 1)")
    assert "--positive-from 0.001 is that of 'any'" in told
    same = read_annotated(tmp_path / "posts.csv", ["racist", "sexist"], positive_from=0.001)
    assert not any("training run" in line for line in measure_scores(given, same, FEW).warnings)


def test_posts_that_nobody_says_are_hateful_are_told(tmp_path: Path) -> None:
    (tmp_path / "posts").mkdir()
    (tmp_path / "posts" / "a.csv").write_text("id,text,racist,sexist\n1,a,1,0\n2,b,0,0\n")
    (tmp_path / "posts" / "b.csv").write_text("id,text,racist\n3,c,1\n4,d,0\n5,e,\n")
    given = GivenScores(np.full((5, 2), 0.4), np.zeros((5, 2), dtype=np.bool_), {}, "elsewhere")
    posts = read_annotated(tmp_path / "posts", ["racist", "sexist"])
    run = measure_scores(given, posts, FEW)
    assert run.warnings[0].startswith("Left out of 'any': 2 of 4 posts with an answer for some labels only")
    assert (run.main.counts["any"].annotated, run.main.counts["racist"].annotated) == (2, 4)
    told = measure_scores(given, replace(posts, hateful=np.array([1.0, 0.0, 1.0, 0.0, np.nan])), FEW)
    assert (told.main.counts["any"].annotated, told.warnings) == (4, ())
    neither = np.array([[1.0, np.nan], [np.nan, 0.0]] * 2 + [[np.nan] * 2])
    none = measure_scores(given, replace(posts, truth=neither), FEW)
    assert none.warnings[0].startswith("Left out of 'any': 4 posts with an answer")
    assert none.main.per_label["any"]["f1"].reason == "no annotated post"


def test_baselines_know_nothing(tiny: Moderator, annotated: Annotated) -> None:
    run, _ = measure_model(tiny, annotated, FEW)
    every = run.variants["baseline all-positive"]
    assert every.overall["recall_macro"].value == 1.0
    assert every.overall["roc_auc_macro"].value == 0.5
    assert every.per_label["racist"]["precision"].value == pytest.approx(10 / 120)
    assert run.variants["baseline prior"].per_label["racist"]["precision"].reason == "nothing was flagged"


def test_evaluating_where_the_thresholds_were_fitted_cannot_be_missed(tiny: Moderator, annotated: Annotated) -> None:
    provenance = {"fitted_on": [{"name": "made-up", "sketch": sketch(annotated.posts)}]}
    fitted = tiny.with_policy(tiny.policy.model_copy(update={"provenance": provenance}))
    run, _ = measure_model(fitted, annotated, FEW)
    assert run.warnings[0].startswith("FITTED ON THESE POSTS: 100% of the evaluated posts are in 'made-up'")
    crossed, _ = measure_model(fitted, annotated, replace(FEW, cross_fit=Plan()))
    assert not any("FITTED" in warning for warning in crossed.warnings)
    assert crossed.facts.thresholds == {"otherhate": 0.5}, "each fold has its own for the others"


def test_thresholds_written_by_hand_are_not_said_to_be_fitted(annotated: Annotated) -> None:
    annotated = annotated.take(np.arange(4))
    compact = Moderator.load("compact")
    policies = compact.bundle.manifest.policies
    own = PolicyFile(name="mine", version="1", labels={"sexist": LabelOverride(threshold=0.5)})
    run, _ = measure_model(compact.with_policy(own.apply(policies, HATE)), annotated, replace(FEW, rounds=0))
    assert run.facts.thresholds_from.startswith("those of sexist written by hand; what the policy 'default' has was fi")
    same = PolicyFile(name="mine", version="1", description="Of our forum.")
    run, _ = measure_model(compact.with_policy(same.apply(policies, HATE)), annotated, replace(FEW, rounds=0))
    assert run.facts.thresholds_from.startswith("fitted on ")


def test_a_policy_without_named_data_is_quoted(annotated: Annotated) -> None:
    annotated = annotated.take(np.arange(4))
    compact = Moderator.load("compact")
    unnamed = compact.bundle.manifest.policies["benchmark"].model_copy(update={"name": "older"})
    run, _ = measure_model(compact.with_policy(unnamed), annotated, replace(FEW, rounds=0))
    assert run.facts.thresholds_from.startswith("the policy does not name the data that it was fitted on")
    assert "on 5023 posts that the model was not trained on" in run.facts.thresholds_from


def test_a_clean_split_is_not_warned_about_for_one_common_phrase(annotated: Annotated) -> None:
    others = [Post(str(number), f"something else {number}") for number in range(5000)]
    for shared, warned in ((0, False), (1, False), (len(annotated), True)):
        entry = {"name": "train", "sketch": sketch([*others, *annotated.posts[:shared]])}
        assert bool(leak_warnings({"fitted_on": [entry]}, annotated)) == warned, shared


def test_training_posts_are_left_out_in_a_variant(tiny: Moderator, annotated: Annotated) -> None:
    run, _ = measure_model(tiny, annotated, replace(FEW, training=annotated.posts[:30]))
    name = next(name for name in run.variants if name.startswith("without"))
    left = run.variants[name].posts
    assert 0 < left <= 90
    assert f"without {120 - left} near-duplicates" in name


def test_posts_that_cannot_be_scored_are_told(tiny: Moderator, annotated: Annotated) -> None:
    broken = replace(annotated, posts=(Post("p0", image="gone.png"), *annotated.posts[1:]))
    run, _ = measure_model(tiny, broken, FEW)
    assert run.main.posts == 119
    assert "Left out of the metrics: 1 post that could not be scored (1 image_not_found)." in run.warnings
    with pytest.raises(InputError, match="None of 1 posts could be scored"):
        measure_model(tiny, broken.take(np.array([0])), FEW)


def test_what_posts_were_measured_without_is_told(tiny: Moderator, tmp_path: Path) -> None:
    table = tmp_path / "posts.csv"
    table.write_text("title,text,images,racist\n" + "a,b,c.jpg,1\na,d,c.jpg,0\n" * 10)
    run, _ = measure_model(tiny, read_annotated(table, HATE.names), FEW)
    told = [warning.partition(",")[0].partition(";")[0] for warning in run.warnings[-2:]]
    assert told == ["column 'title' is not scored", "column 'images' is not read"]


def test_scores_from_elsewhere_are_measured_the_same_way(tiny: Moderator, annotated: Annotated) -> None:
    run, scored = measure_model(tiny, annotated, FEW)
    given = GivenScores(
        scored.sample.scores, scored.sample.flags, run.facts.thresholds, "the decisions", ("tiny", "1", "mine", "2")
    )
    again = measure_scores(given, annotated, FEW)
    assert again.main.overall == run.main.overall
    assert again.facts.thresholds == run.facts.thresholds
    assert (again.facts.model, again.facts.model_version, again.facts.policy_version) == ("tiny", "1", "2")
    assert again.throughput is None


def test_given_scores_leave_out_posts_that_could_not_be_scored(tiny: Moderator, annotated: Annotated) -> None:
    _, scored = measure_model(tiny, annotated, FEW)
    scores = scored.sample.scores.copy()
    scores[0] = np.nan
    run = measure_scores(GivenScores(scores, scored.sample.flags, {}, "", failed={"post_empty": 1}), annotated, FEW)
    assert run.sample.ids == scored.sample.ids[1:]
    assert "Left out of the metrics: 1 post that could not be scored (1 post_empty)." in run.warnings


def test_posts_that_need_no_score_are_left_out_and_told(annotated: Annotated) -> None:
    scores = np.full(annotated.truth.shape, 0.5)
    scores[:2] = np.nan
    run = measure_scores(GivenScores(scores, scores > 0, {}, "", absent=2), annotated, FEW)
    assert run.main.posts == len(annotated) - 2
    assert (
        "Left out of the metrics: 2 posts without a score, and without an answer or anything to score." in run.warnings
    )


def test_weights_that_are_not_used_are_told_of_given_scores(annotated: Annotated) -> None:
    weighted = replace(annotated, columns={"weight": ("1", "2") * (len(annotated) // 2)}, unread=("not told here",))
    scores = np.full(annotated.truth.shape, 0.5)
    run = measure_scores(GivenScores(scores, scores > 0, {}, ""), weighted, FEW)
    told = [warning.partition(":")[0] for warning in run.warnings]
    assert "column 'weight' is not used" in told
    assert "not told here" not in told


def test_a_cross_fit_leaves_the_ranking_of_posts_alone(tiny: Moderator, annotated: Annotated, tmp_path: Path) -> None:
    plain, _ = measure_model(tiny, annotated, FEW)
    crossed, _ = measure_model(tiny, annotated, replace(FEW, cross_fit=Plan(kinds=("platt",))))
    assert crossed.main.overall["brier_macro"] != plain.main.overall["brier_macro"]
    write_run(crossed, tmp_path)
    ranking = ("roc_auc_macro", "average_precision_micro", "recall_at_fpr_0.05_macro", "any/roc_auc")
    for key in ranking:
        assert crossed.main.estimate(key) == plain.main.estimate(key), key
    found = paired_differences(read_run(tmp_path).sample, plain.sample, ranking, rounds=20)
    assert {difference.value.value for difference in found.values()} == {0.0}
    both = "60 posts with text and image"
    for view in ("fused", "text-only"):
        one, other = (run.variants[f"{view}, {both}"].estimate("roc_auc_macro") for run in (plain, crossed))
        assert one == other, view


def test_too_few_different_posts_cannot_be_cross_fitted(tiny: Moderator, annotated: Annotated) -> None:
    same = tuple(replace(post, text="again", image_text="") for post in annotated.posts)
    with pytest.raises(InputError, match="--cross-fit needs a label that 10 posts carry"):
        measure_model(tiny, replace(annotated, posts=same), replace(FEW, cross_fit=Plan()))
