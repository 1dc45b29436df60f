from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests.support.estimates import width
from tests.support.tiny_bundle import manifest

from crossguard.bundle import PROVENANCE, Bundle, write_manifest
from crossguard.decision.policy import Policy
from crossguard.errors import InputError
from crossguard.evaluation.annotated import Annotated, read_annotated, read_posts
from crossguard.evaluation.calibration.criteria import Criterion
from crossguard.evaluation.calibration.fitting import Plan
from crossguard.evaluation.calibration.policy import calibrate, write_policy
from crossguard.evaluation.leakage import sketch
from crossguard.evaluation.measuring import EvaluationRequest, measure_model
from crossguard.labels import HATE, UNION
from crossguard.moderator import Moderator

PLAN = Plan(kinds=("platt",), criteria={"sexist": Criterion("recall", 0.9)})


def test_a_written_policy_decides_as_it_was_fitted(tiny: Moderator, annotated: Annotated, tmp_path: Path) -> None:
    found = calibrate(tiny, annotated, replace(PLAN, miss_rate=0.2, block_rate=0.05), name="mine", rounds=0)
    write_policy(found.file, tmp_path / "mine.yaml")
    moderator = tiny.with_policy(tmp_path / "mine.yaml")
    again, _ = measure_model(moderator, annotated, EvaluationRequest(rounds=0))
    for label in found.fitted.rules:
        assert again.main.per_label[label]["f1"].value == pytest.approx(found.feed_in_sample[label]["f1"].value)
        rule, fitted = moderator.policy.labels[label], found.fitted.rules[label]
        assert (rule.review, rule.block) == (fitted.review, fitted.block)
    assert (again.main.per_label["sexist"]["recall"].value or 0) >= 0.9


def test_the_policy_remembers_where_it_was_fitted(tiny: Moderator, annotated: Annotated, tmp_path: Path) -> None:
    write_policy(calibrate(tiny, annotated, PLAN, name="mine", rounds=0).file, tmp_path / "mine.yaml")
    again, _ = measure_model(tiny.with_policy(tmp_path / "mine.yaml"), annotated, EvaluationRequest(rounds=0))
    assert again.warnings[0].startswith("FITTED ON THESE POSTS: 100% of the evaluated posts are in 'posts.jsonl'")


def test_the_policy_remembers_where_the_rules_that_stay_were_fitted(
    tiny: Moderator, annotated: Annotated, tmp_path: Path
) -> None:
    """Too few posts carry `otherhate`, so its rule stays, and the warning on the posts that it was fitted on."""
    earlier = [
        {"name": "earlier", "what": "thresholds", "sketch": sketch(annotated.posts)},
        {"name": "replaced", "labels": ["racist"]},
    ]
    base = tmp_path / "base.yaml"
    base.write_text(json.dumps({"name": "base", "version": "1", "provenance": {"fitted_on": earlier}}))
    found = calibrate(tiny.with_policy(base), annotated, PLAN, name="mine", rounds=0).file
    write_policy(found, tmp_path / "mine.yaml")
    mine = tiny.with_policy(tmp_path / "mine.yaml")
    of_mine = ", ".join(name for name in HATE.names if name != "otherhate")
    assert mine.bundle.fitted_on(mine.policy) == [f"posts.jsonl ({of_mine})", "earlier (otherhate)"]
    again, _ = measure_model(mine, annotated, EvaluationRequest(rounds=0))
    assert again.warnings[1].startswith("FITTED ON THESE POSTS: 100% of the evaluated posts are in 'earlier', on which")
    assert "on which thresholds of otherhate were fitted" in again.warnings[1]


def test_no_data_are_named_of_a_rule_that_stays_and_was_written_by_hand(
    tiny_model: Path, annotated: Annotated, tmp_path: Path
) -> None:
    shutil.copytree(tiny_model, tmp_path / "own")
    known = {"policies": {"default": {"fitted_on": [{"name": "made up"}]}}}
    (tmp_path / "own" / PROVENANCE).write_text(json.dumps(known))
    own = Moderator.load(tmp_path / "own", verify=False)
    (tmp_path / "hand.yaml").write_text("{name: hand, version: '1', labels: {otherhate: {threshold: 0.71}}}")
    for base, names in ((own, ["posts.jsonl", "made up"]), (own.with_policy(tmp_path / "hand.yaml"), ["posts.jsonl"])):
        write_policy(calibrate(base, annotated, PLAN, name="mine", rounds=0).file, tmp_path / "mine.yaml")
        found = own.bundle.policy_provenance(own.with_policy(tmp_path / "mine.yaml").policy)["fitted_on"]
        assert [entry["name"] for entry in found] == names


def test_the_description_names_the_criterion_of_each_label(tiny: Moderator, annotated: Annotated) -> None:
    f1 = ", ".join(name for name in HATE.names if name not in {"sexist", "otherhate"})
    told = calibrate(tiny, annotated, PLAN, name="mine", rounds=0).file.description
    assert f"f1 for {f1}" in told
    assert "recall>=0.9 for sexist" in told
    assert told.endswith("Not fitted: otherhate, as in 'default'.")


def test_the_policy_remembers_the_model_that_it_was_fitted_to(
    tiny: Moderator, annotated: Annotated, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = calibrate(tiny, annotated, PLAN, name="mine", rounds=0).file
    assert file.provenance["model"] == {"name": "tiny", "version": "1.0.0"}
    write_policy(file, tmp_path / "mine.yaml")
    tiny.with_policy(tmp_path / "mine.yaml")
    assert caplog.messages == []


def test_maps_that_stay_do_not_pass_for_ones_of_this_model(
    tiny: Moderator, annotated: Annotated, tmp_path: Path
) -> None:
    """Too few posts carry `otherhate`, so its map stays, and is still told as that of another model."""
    earlier = {"name": "tiny", "version": "0.9.0"}
    truth = annotated.truth.copy()
    truth[:, tiny.labels.names.index("otherhate")] = truth[:, 0]
    of_all = replace(annotated, truth=truth)
    gone = "perspective: {RACIST: {x: [0, 1], y: [0, 1]}}\n"
    for posts, more, model in (
        (annotated, "", earlier),
        (of_all, gone, tiny.bundle.identity),
        (of_all, "", tiny.bundle.identity),
    ):
        (tmp_path / "base.yaml").write_text(f"name: base\nversion: '1'\nprovenance: {{model: {earlier}}}\n{more}")
        found = calibrate(tiny.with_policy(tmp_path / "base.yaml"), posts, PLAN, name="mine", rounds=0)
        assert found.file.provenance["model"] == model


def test_maps_to_perspective_stay_where_they_are_not_from_scores_of_fitted_labels(
    tiny: Moderator, tiny_bundle: Bundle, annotated: Annotated, tmp_path: Path
) -> None:
    """A new calibration gives scores of labels another scale, on which an old threshold means something else."""
    further = {"attributes": {"identity_attack": {"column": 5}}}
    shutil.copytree(tiny_bundle.folder, tmp_path / "own")
    attributed = Moderator.load(write_manifest(tmp_path / "own", manifest("attributed") | further).folder)
    maps = ", ".join(f"{name}: {{x: [0, 1], y: [0, 1]}}" for name in ("RACIST", "OTHERHATE", UNION))
    (tmp_path / "base.yaml").write_text(f"name: base\nversion: '1'\nperspective: {{{maps}}}\n")
    for moderator, gone in ((tiny, ["RACIST", UNION]), (attributed, ["RACIST"])):
        found = calibrate(moderator.with_policy(tmp_path / "base.yaml"), annotated, PLAN, name="mine", rounds=0)
        assert [name for name in ("RACIST", "OTHERHATE", UNION) if name not in found.file.perspective] == gone
        told = f"The new policy has no map to Perspective's scores for {', '.join(gone)}: those of 'base' are from"
        assert any(note.startswith(told) for note in found.notes)


def test_a_fit_to_posts_that_the_model_learned_from_is_told(
    tiny_model: Path, annotated: Annotated, tmp_path: Path
) -> None:
    shutil.copytree(tiny_model, tmp_path / "own")
    entry = {"name": "mine", "what": "the model's weights", "sketch": sketch(annotated.posts)}
    (tmp_path / "own" / PROVENANCE).write_text(json.dumps({"model": {"fitted_on": [entry]}}))
    learned = Moderator.load(tmp_path / "own", verify=False)
    (told,) = (note for note in calibrate(learned, annotated, PLAN, name="mine", rounds=0).notes if "FITTED" in note)
    assert "100% of the evaluated posts are in 'mine', on which the model's weights were fitted." in told
    assert "Fit to posts that it did not learn from" in told


def test_posts_that_are_only_said_to_be_hateful_fit_no_policy(tiny: Moderator, tmp_path: Path) -> None:
    table = tmp_path / "posts.csv"
    table.write_text("text,hateful\n" + "hello,0\nawful,1\n" * 20)
    with pytest.raises(InputError, match=r"only whether a post is hateful.*a column per label \(racist, sexist"):
        calibrate(tiny, read_annotated(table, HATE.names), PLAN, name="mine", rounds=0)


def test_copies_of_posts_make_no_interval_narrower(tiny: Moderator, annotated: Annotated) -> None:
    widths = []
    for posts in (annotated, annotated.take(np.tile(np.arange(len(annotated)), 9))):
        auc = calibrate(tiny, posts, PLAN, name="mine", rounds=100).cross_validated.overall["roc_auc_macro"]
        widths.append(width(auc))
    assert widths[1] > 0.7 * widths[0]


def test_a_label_that_cannot_be_fitted_keeps_its_rule_and_says_so(tiny: Moderator, annotated: Annotated) -> None:
    found = calibrate(tiny, annotated, PLAN, name="mine", rounds=0)
    assert "otherhate" not in found.file.labels
    assert any("otherhate: the rule of 'default' stays" in note for note in found.notes)


def test_what_a_policy_file_says_beside_the_fitted_labels_stays(
    tiny: Moderator, annotated: Annotated, tmp_path: Path
) -> None:
    (tmp_path / "base.yaml").write_text(
        '{name: base, version: "1", labels: {otherhate: {threshold: 0.9}}, feed_prevalence: {racist: 0.25},\n'
        "inputs: {both: {otherhate: {threshold: 0.8}}}}"
    )
    base = tiny.with_policy(tmp_path / "base.yaml")
    found = calibrate(base, annotated, PLAN, name="mine", rounds=0)
    write_policy(found.file, tmp_path / "mine.yaml")
    made = tiny.with_policy(tmp_path / "mine.yaml").policy
    assert made.base == "default", "a policy file starts from a policy of the bundle"
    assert (made.labels["otherhate"].threshold, made.rules("both")["otherhate"].threshold) == (0.9, 0.8)
    assert made.feed_prevalence == {"racist": 0.25}
    assert made.labels["racist"].threshold == found.fitted.rules["racist"].threshold


def test_bands_of_the_base_for_images_do_not_outlive_a_fit(tiny: Moderator, annotated: Annotated) -> None:
    bands = {
        "both": {"racist": {"threshold": 0.9}, "otherhate": {"threshold": 0.9}},
        "image": {"racist": {"review": 0.1}},
    }
    base = tiny.with_policy(Policy(**(tiny.policy.model_dump() | {"inputs": bands})))
    found = calibrate(base, annotated, PLAN, name="mine", rounds=0)
    assert found.file.inputs is not None
    assert {kind: list(rules) for kind, rules in found.file.inputs.items()} == {"both": ["otherhate"]}


def test_nothing_to_fit_is_an_error(tiny: Moderator, annotated: Annotated) -> None:
    few = annotated.take(np.arange(5))
    truth = few.truth[:, HATE.names.index("racist")] > 0
    counts = f"racist {truth.sum()} and {(~truth).sum()}, "
    with pytest.raises(InputError, match=f"No label has 10 posts .* nothing can be fitted: .*{counts}"):
        calibrate(tiny, few, PLAN, name="mine", rounds=0)


def test_precision_in_a_feed_follows_from_recall_and_false_alarms(tiny: Moderator, annotated: Annotated) -> None:
    rare = calibrate(tiny, annotated, replace(PLAN, prevalence={"racist": 0.001}), name="mine", rounds=0)
    here, feed = rare.cross_validated.per_label["racist"]["precision"].value, rare.feed["racist"]
    precision, recall, f1 = (feed[key].value for key in ("precision", "recall", "f1"))
    assert here is not None
    assert precision is not None
    assert recall is not None
    assert 0 < precision < here / 10
    assert f1 == pytest.approx(2 * precision * recall / (precision + recall)), "one row, one prevalence"


def test_a_feed_sets_prevalences(tiny: Moderator, annotated_posts: Path, annotated: Annotated) -> None:
    feed = [post for index, post in enumerate(read_posts(annotated_posts)) if index % 3]
    found = calibrate(tiny, annotated, PLAN, name="mine", feed=feed, rounds=100)
    shares = {label: rule.prevalence.target for label, rule in found.fitted.rules.items() if rule.prevalence}
    assert shares.keys() == found.fitted.rules.keys()
    known = calibrate(tiny, annotated, replace(PLAN, prevalence=shares), name="mine", feed=feed, rounds=100)
    precisions = [one.feed["sexist"]["precision"] for one in (found, known)]
    wide, narrow = ((one.high or 0.0) - (one.low or 0.0) for one in precisions)
    assert wide > 2 * narrow, "the scores hardly tell how many posts carry it"


def test_bands_that_are_not_fitted_are_told(tiny: Moderator, annotated: Annotated) -> None:
    blocking = [name for name in HATE.names if tiny.policy.labels[name].block is not None and name != "otherhate"]
    lost = f"'default' blocks posts for {', '.join(blocking)}; the new policy sends them to review"
    assert any(note.startswith(lost) for note in calibrate(tiny, annotated, PLAN, name="mine", rounds=0).notes)
    fitted = calibrate(tiny, annotated, replace(PLAN, block_rate=0.5), name="mine", rounds=0)
    assert not any("blocks posts" in note for note in fitted.notes)


def test_a_label_that_blocks_outside_of_the_guarantee_is_told(tiny: Moderator, annotated: Annotated) -> None:
    labels = {name: rule.model_copy(update={"block": 0.99}) for name, rule in tiny.policy.labels.items()}
    base = tiny.with_policy(tiny.policy.model_copy(update={"labels": labels}))
    told = "--block-rate leaves out what 'default' blocks for otherhate."
    assert told in calibrate(base, annotated, replace(PLAN, block_rate=0.5), name="mine", rounds=0).notes
    assert told not in calibrate(base, annotated, PLAN, name="mine", rounds=0).notes
    inputs = {"image": {"otherhate": {"block": 0.99}}}
    base = tiny.with_policy(tiny.policy.model_copy(update={"inputs": inputs}))
    assert told in calibrate(base, annotated, replace(PLAN, block_rate=0.5), name="mine", rounds=0).notes


def test_posts_that_could_not_be_scored_are_told(tiny: Moderator, annotated: Annotated) -> None:
    gone = tuple(replace(post, image="gone.png", text="") if n < 3 else post for n, post in enumerate(annotated.posts))
    feed = [*annotated.posts[:40], replace(annotated.posts[0], image="gone.png")]
    plan = replace(PLAN, criterion=Criterion.parse("review-budget=5%"))
    found = calibrate(tiny, replace(annotated, posts=gone), plan, name="mine", feed=feed, rounds=0)
    assert "Left out of the fit: 3 posts that could not be scored (3 image_not_found)." in found.notes
    assert any(": 1 post of the feed that could not be scored" in note for note in found.notes)


def test_what_was_asked_for_a_label_that_cannot_be_fitted_is_told(tiny: Moderator, annotated: Annotated) -> None:
    plan = replace(PLAN, prevalence={"otherhate": 0.01}, criteria={"otherhate": Criterion("recall", 0.9)})
    found = calibrate(tiny, annotated, plan, name="mine", rounds=0)
    assert "What was asked for otherhate (criterion, prevalence) is not in the policy." in found.notes
    assert "otherhate" not in found.file.provenance["criteria"]


def test_a_label_that_one_repeated_text_carries_keeps_its_rule(tiny: Moderator, annotated: Annotated) -> None:
    racist = annotated.truth[:, HATE.names.index("racist")] > 0
    posts = tuple(
        replace(post, text="again", image_text="") if yes else post
        for post, yes in zip(annotated.posts, racist, strict=True)
    )
    found = calibrate(tiny, replace(annotated, posts=posts), PLAN, name="mine", rounds=0)
    assert "racist" not in found.fitted.rules
    assert any(note.startswith("Too few different posts of either kind for racist") for note in found.notes)
    same = tuple(replace(post, text="again", image_text="") for post in annotated.posts)
    with pytest.raises(InputError, match="Posts with the same words count once"):
        calibrate(tiny, replace(annotated, posts=same), PLAN, name="mine", rounds=0)
