"""Policies from the predictions of runs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("sklearn", reason="policies are fitted with crossguard[evaluate]")

from crossguard.errors import ConfigError
from crossguard.evaluation.score_tables import pack_texts
from crossguard.export.policies import PolicyPlan, fit_policy, fitted_on


def write_run(folder: Path, seed: int, n: int = 200) -> Path:
    random = np.random.default_rng(seed)
    targets = (random.random((n, 4)) < 0.3).astype(np.float32)
    logits = (targets * 4 - 2 + random.normal(size=(n, 4))).astype(np.float32)
    targets[: n // 2, 2] = np.nan
    targets[:, 3] = np.nan
    folder.mkdir(parents=True)
    np.savez(
        folder / "predictions.npz",
        ids=pack_texts([f"{seed}-{row}" for row in range(n)]),
        sources=pack_texts(["posts"] * n),
        contents=pack_texts([f"{seed}-{row}" for row in range(n)]),
        logits=logits,
        targets=targets,
        cut=np.zeros(len(logits), dtype=np.bool_),
    )
    told = {"class_names": ["a", "b"], "label_schemes": {"first": [0, 1], "second": [2, 3]}, "num_outputs": 4}
    (folder / "inference_config.json").write_text(json.dumps(told))
    entry = {"name": "posts", "sketch": [f"{seed}{place:03d}" for place in range(300)]}
    (folder / "provenance.json").write_text(json.dumps({"measured_on": [entry], "trained_on": []}))
    return folder


def predictions_of(run: Path) -> dict[str, Any]:
    with np.load(run / "predictions.npz") as stored:
        return dict(stored)


def replace_predictions(run: Path, predicted: Mapping[str, Any]) -> None:
    np.savez(run / "predictions.npz", **predicted)


def test_thresholds_are_fitted_on_all_runs_and_columns_of_the_label_scheme(tmp_path: Path) -> None:
    runs = tuple(write_run(tmp_path / str(seed), seed) for seed in (1, 2))
    policy = fit_policy(PolicyPlan("mine", "second", runs), ("a", "b"), (2, 3), "1")
    assert policy.name == "mine"
    assert policy.label_scheme == "second"
    assert "400 posts" in policy.description
    assert 0.2 < policy.labels["a"].threshold < 0.8
    assert policy.labels["b"].threshold == 0.5  # nothing is known about it


def test_a_label_with_too_few_posts_keeps_its_threshold_and_says_so(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    run = write_run(tmp_path / "run", 1)
    predicted = predictions_of(run)
    predicted["targets"][:, 1] = 0
    predicted["targets"][:9, 1] = 1
    replace_predictions(run, predicted)
    policy = fit_policy(PolicyPlan("mine", "first", (run,)), ("a", "b"), (0, 1), "1")
    assert policy.labels["b"].threshold == 0.5
    assert policy.description.endswith("Not fitted, with the threshold 0.5: b.")
    assert "Label 'b': 9 posts carry it and 191 do not, and a fit needs 10 of each." in caplog.text
    predicted["targets"][9, 1] = 1
    replace_predictions(run, predicted)
    caplog.clear()
    assert "Not fitted" not in fit_policy(PolicyPlan("mine", "first", (run,)), ("a", "b"), (0, 1), "1").description
    assert not caplog.text


def test_half_of_the_votes_are_a_yes_as_in_an_evaluation(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", 1)
    plan = PolicyPlan("mine", "first", (run,))
    whole = fit_policy(plan, ("a", "b"), (0, 1), "1").labels
    stored = predictions_of(run)
    replace_predictions(run, {**stored, "targets": stored["targets"] / 2})
    assert fit_policy(plan, ("a", "b"), (0, 1), "1").labels == whole


def test_a_post_that_several_runs_predicted_counts_as_one(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    runs = tuple(write_run(tmp_path / str(place), 1) for place in range(3))
    for run in runs:
        predicted = predictions_of(run)
        predicted["targets"][:, 1] = np.arange(200) < 4
        predicted["cut"] = np.arange(200) < 7
        replace_predictions(run, predicted)
    policy = fit_policy(PolicyPlan("mine", "first", runs), ("a", "b"), (0, 1), "1")
    assert "on 200 posts" in policy.description
    assert "Only the beginning of 7 long texts was read." in policy.description
    assert policy.labels["b"].threshold == 0.5
    assert "Label 'b': 4 posts carry it and 196 do not" in caplog.text


def test_posts_with_the_same_words_count_as_one_whatever_their_ids(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    run = write_run(tmp_path / "run", 1)
    predicted = predictions_of(run)
    predicted["targets"][:, 1] = np.arange(200) < 20
    predicted["contents"] = pack_texts([str(row % 5 if row < 20 else row) for row in range(199)] + [""])
    replace_predictions(run, predicted)
    policy = fit_policy(PolicyPlan("mine", "first", (run,)), ("a", "b"), (0, 1), "1")
    assert "on 185 posts" in policy.description
    assert policy.labels["b"].threshold == 0.5
    assert "Label 'b': 5 posts carry it and 180 do not" in caplog.text
    del predicted["contents"]
    replace_predictions(run, predicted)
    with pytest.raises(ConfigError, match="is a run of another version of Crossguard, which does not say which posts"):
        fit_policy(PolicyPlan("mine", "first", (run,)), ("a", "b"), (0, 1), "1")


def test_texts_that_the_runs_cut_are_counted(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    runs = tuple(write_run(tmp_path / str(seed), seed) for seed in (1, 2))
    replace_predictions(runs[0], {**predictions_of(runs[0]), "cut": np.arange(200) < 3})
    policy = fit_policy(PolicyPlan("mine", "first", runs), ("a", "b"), (0, 1), "1")
    assert "Only the beginning of 3 long texts was read." in policy.description
    assert "--policy mine: the run read only the beginning of 3 of these posts" in caplog.text


def test_fingerprints_of_all_runs_become_one(tmp_path: Path) -> None:
    runs = [write_run(tmp_path / str(seed), seed) for seed in (2, 1)]
    entries = fitted_on(runs, "measured_on", "thresholds")
    assert [(entry["name"], entry["what"]) for entry in entries] == [("posts", "thresholds")]
    assert entries[0]["sketch"] == [f"1{place:03d}" for place in range(256)]


def test_of_a_bundle_beside_its_weights_the_fingerprints_are_the_bundles(tmp_path: Path) -> None:
    known = {"name": "posts", "what": "the model's weights", "sketch": ["1"]}
    told = {"model": {"fitted_on": [known]}, "policies": {}}
    (tmp_path / "provenance.json").write_text(json.dumps(told), encoding="utf-8")
    assert fitted_on([tmp_path], "trained_on", "the model's weights") == [known]
    assert fitted_on([tmp_path], "measured_on", "thresholds") == []


def test_a_plan_is_read_as_people_write_it() -> None:
    plan = PolicyPlan.parse("default=any:runs/a,runs/b@precision>=0.8")
    assert (plan.name, plan.label_scheme, plan.runs) == ("default", "any", (Path("runs/a"), Path("runs/b")))
    assert str(plan.criterion) == "precision>=0.8"
    assert str(PolicyPlan.parse("default=any:runs/a").criterion) == "f1"
    assert str(PolicyPlan.parse("default=any:runs/a@cost=1:5").criterion) == "cost=1:5"
    with pytest.raises(ConfigError, match="NAME=SCHEME"):
        PolicyPlan.parse("default")


@pytest.mark.parametrize(
    ("runs", "criterion"),
    [
        (["runs/me@home"], "f1"),
        (["runs/me@home"], "precision>=0.8"),
        (["runs/plain", "runs/lr,0,1", "runs/me@home"], "f1"),
        (["runs/lr,0,1", "runs/me@home", "runs/plain"], "cost=1:5"),
    ],
)
def test_a_run_that_is_there_may_have_the_signs_of_a_plan_in_its_name(
    runs: list[str], criterion: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for run in runs:
        Path(run).mkdir(parents=True)
    plan = PolicyPlan.parse(f"default=any:{','.join(runs)}{'' if criterion == 'f1' else f'@{criterion}'}")
    assert plan.runs == tuple(map(Path, runs))
    assert str(plan.criterion) == criterion


@pytest.mark.parametrize("text", ["default=any:", "default=any:@f1", "default=any@cost=1:5", "=any:a", "default=:a"])
def test_a_plan_without_one_of_its_parts_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="NAME=SCHEME"):
        PolicyPlan.parse(text)


def test_a_run_without_predictions_is_explained(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="crossguard train"):
        fit_policy(PolicyPlan("mine", "labels", (tmp_path,)), ("a",), (0,), "1")


@pytest.mark.parametrize("labels", [("b", "a"), ("c", "d")])
def test_a_run_of_other_labels_fits_no_policy(labels: tuple[str, ...], tmp_path: Path) -> None:
    plan = PolicyPlan("mine", "second", (write_run(tmp_path / "run", 1),))
    with pytest.raises(ConfigError, match=rf"run predicts \[a, b\], and the model \[{', '.join(labels)}\]"):
        fit_policy(plan, labels, (2, 3), "1")


def test_of_runs_with_different_outputs_the_one_that_does_not_fit_is_told(tmp_path: Path) -> None:
    runs = write_run(tmp_path / "mine", 1), write_run(tmp_path / "other", 2)
    stored = predictions_of(runs[1])
    replace_predictions(runs[1], {**stored, "logits": stored["logits"][:, :3]})
    (runs[1] / "inference_config.json").write_text(json.dumps({"class_names": ["x", "y", "z"]}))
    with pytest.raises(ConfigError, match=r"other predicts \[x, y, z\], and the model \[a, b\]"):
        fit_policy(PolicyPlan("mine", "first", runs), ("a", "b"), (0, 1), "1")


def test_a_run_with_other_columns_of_a_label_scheme_fits_no_policy(tmp_path: Path) -> None:
    plan = PolicyPlan("mine", "second", (write_run(tmp_path / "run", 1),))
    with pytest.raises(ConfigError, match="other outputs for 'second'"):
        fit_policy(plan, ("a", "b"), (0, 1), "1")
    (tmp_path / "run" / "inference_config.json").unlink()
    with pytest.raises(ConfigError, match=r"no finished run.*inference_config\.json"):
        fit_policy(plan, ("a", "b"), (2, 3), "1")
