from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from crossguard.errors import InputError
from crossguard.evaluation.annotated import Annotated
from crossguard.evaluation.measuring import EvaluationRequest, measure_model
from crossguard.evaluation.runs import RUN, SCHEMA, Run, read_run, write_run
from crossguard.moderator import Moderator


@pytest.fixture
def run(tiny: Moderator, annotated: Annotated) -> Run:
    return measure_model(tiny, annotated, EvaluationRequest(rounds=20))[0]


def test_a_run_survives_its_folder(run: Run, tmp_path: Path) -> None:
    write_run(run, tmp_path / "run")
    back = read_run(tmp_path / "run")
    assert back.main == run.main
    assert back.variants == run.variants
    assert back.facts == run.facts
    np.testing.assert_array_equal(back.sample.scores, run.sample.scores)
    np.testing.assert_array_equal(back.sample.owners, run.sample.owners)
    assert back.sample.groups is not None


def test_the_reference_names_are_in_the_files(run: Run, tmp_path: Path) -> None:
    write_run(run, tmp_path)
    flat = json.loads((tmp_path / "test_metrics.json").read_text(encoding="utf-8"))
    assert {"f1_macro", "f1_micro", "roc_auc_macro", "loss", "samples_per_second"} <= set(flat)
    assert flat["intervals"]["f1_macro"][0] <= flat["f1_macro"] <= flat["intervals"]["f1_macro"][1]
    report = json.loads((tmp_path / "test_report.json").read_text(encoding="utf-8"))
    assert set(report["racist"]) >= {"precision", "recall", "f1-score", "support", "threshold"}
    assert report["macro avg"]["f1-score"] == flat["f1_macro"]


def test_an_evaluation_leaves_the_files_of_a_training_run_alone(run: Run, tmp_path: Path) -> None:
    trained = "predictions.npz val_report.json val_metrics.json provenance.json recipe.yaml config.json log.jsonl"
    for name in trained.split():
        (tmp_path / name).write_text("of the training", encoding="utf-8")
    write_run(run, tmp_path)
    assert all((tmp_path / name).read_text(encoding="utf-8") == "of the training" for name in trained.split())
    assert read_run(tmp_path).main == run.main


def test_a_folder_without_a_run_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="crossguard evaluate DATA --out"):
        read_run(tmp_path)


def test_ids_take_no_more_memory_than_their_letters(run: Run, tmp_path: Path) -> None:
    ids = ("é" * 1000, *run.sample.ids[1:])
    write_run(replace(run, sample=replace(run.sample, ids=ids)), tmp_path)
    with np.load(tmp_path / "scores.npz") as stored:
        columns: dict[str, Any] = dict(stored)
    assert columns["ids"].nbytes < 20_000
    assert read_run(tmp_path).sample.ids == ids
    np.savez(tmp_path / "scores.npz", **columns | {"ids": np.array(ids)})
    assert read_run(tmp_path).sample.ids == ids, "as earlier versions wrote them"


def test_a_run_of_another_schema_is_refused(run: Run, tmp_path: Path) -> None:
    write_run(run, tmp_path)
    stored = json.loads((tmp_path / RUN).read_text(encoding="utf-8"))
    (tmp_path / RUN).write_text(json.dumps(stored | {"schema": SCHEMA + 1}), encoding="utf-8")
    with pytest.raises(InputError, match=f"run schema {SCHEMA + 1}, and this Crossguard reads {SCHEMA}"):
        read_run(tmp_path)


@pytest.mark.parametrize("part", [0, 0.5])
def test_scores_that_were_not_written_whole_are_no_run(run: Run, tmp_path: Path, part: float) -> None:
    write_run(run, tmp_path)
    scores = tmp_path / "scores.npz"
    scores.write_bytes(scores.read_bytes()[: int(part * scores.stat().st_size)])
    with pytest.raises(InputError, match="holds no evaluation run"):
        read_run(tmp_path)


@pytest.mark.parametrize(
    "damaged", [[], {"schema": SCHEMA}, {"schema": SCHEMA, "variants": {}, "facts": {"nothing": 1}}]
)
def test_metrics_that_are_not_those_of_a_run_are_told(run: Run, tmp_path: Path, damaged: object) -> None:
    write_run(run, tmp_path)
    (tmp_path / RUN).write_text(json.dumps(damaged), encoding="utf-8")
    with pytest.raises(InputError, match="holds no evaluation run"):
        read_run(tmp_path)
