"""What teachers think of the posts that they held out, written as a table, and what a run of one fold takes of it."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

pytest.importorskip("torch", reason="training belongs to crossguard[train]")

import write_soft_labels as script

from crossguard.data.datasets.rows import Row, write_table
from crossguard.evaluation.score_tables import PREDICTIONS, pack_texts
from crossguard.labels import HATE
from crossguard.training.recipe import Recipe
from crossguard.training.recipes import load
from crossguard.training.sources import Fold, read_examples

FOLDS = 3
TEACHER = """\
label_schemes: [any, consensus]
auxiliary: [harm, toxicity]
sources:
  posts: {label_schemes: {any: any, consensus: unanimous}, cross_validate: true}
"""
STUDENT = """\
label_schemes: [any, consensus]
auxiliary: [harm, toxicity]
sources:
  posts: {label_schemes: {any: any, consensus: unanimous}, cross_validate: true}
  soft: {label_schemes: {any: votes, consensus: votes}, evaluate: false}
"""


def run(*arguments: object) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["", *map(str, arguments)])
        script.main()


@pytest.fixture
def data(tmp_path: Path) -> Path:
    texts = [f"hello {word} people {number}" for number, word in enumerate(["good", "awful", "love", "hate"] * 6)]
    votes = {**dict.fromkeys(HATE.names, 0.0), "toxicity": 1.0}
    rows = [Row(f"id{number}", text, image=tmp_path / "meme.png", labels=votes) for number, text in enumerate(texts)]
    write_table(rows, [*HATE.names, "toxicity"], "posts", tmp_path / "posts.parquet")
    (tmp_path / "teacher.yaml").write_text(TEACHER)
    (tmp_path / "student.yaml").write_text(STUDENT)
    for fold in range(FOLDS):
        write_predictions(load(str(tmp_path / "teacher.yaml")), tmp_path, fold)
    return tmp_path


def write_predictions(recipe: Recipe, data: Path, fold: int) -> None:
    """Writes what a run of a fold leaves: for each post that it held out, logits that tell the post."""
    _, held = read_examples(recipe, data, Fold(fold, FOLDS))
    numbers = np.array([int(id_.removeprefix("id")) for id_ in held.ids], dtype=np.float32)
    logits = numbers[:, None] / 10 - np.arange(recipe.num_outputs, dtype=np.float32)
    (data / f"run-{fold}").mkdir(exist_ok=True)
    np.savez(data / f"run-{fold}" / PREDICTIONS, ids=pack_texts(held.ids), logits=logits)


def runs(data: Path) -> list[Path]:
    return [data / f"run-{fold}" for fold in range(FOLDS)]


def test_each_post_gets_the_probabilities_of_the_run_that_held_it_out(data: Path) -> None:
    run(data / "teacher.yaml", data, data / "soft.parquet", *runs(data))
    table = pq.read_table(data / "soft.parquet").to_pandas().set_index("id")
    assert sorted(table.index) == sorted(f"id{number}" for number in range(24))
    logits = np.arange(24)[:, None] / 10 - np.arange(12)
    expected = 1 / (1 + np.exp(-logits))
    ordered = table.loc[[f"id{number}" for number in range(24)]]
    for scheme, first in (("any", 0), ("consensus", 5)):
        found = ordered[[f"{label}@{scheme}" for label in HATE.names]].to_numpy()
        np.testing.assert_allclose(found, expected[:, first : first + 5], atol=1e-6)
        whole = 1 - np.prod(1 - expected[:, first : first + 5], axis=1)
        np.testing.assert_allclose(ordered[f"hateful@{scheme}"], whole, atol=1e-6)
    assert ordered["harm"].isna().all(), "no post says anything of it, so no teacher has learned it"
    np.testing.assert_allclose(ordered["toxicity"], expected[:, 11], atol=1e-6)
    assert set(ordered["stratum"]) == {"posts"}
    assert set(ordered["image_path"]) == {"meme.png"}


def test_a_label_under_one_scheme_teaches_that_scheme_alone(data: Path) -> None:
    run(data / "teacher.yaml", data, data / "soft.parquet", *runs(data))
    trained, _ = read_examples(load(str(data / "student.yaml")), data)
    soft = np.array(trained.sources) == "soft"
    any_, consensus = trained.targets[soft][:, 0], trained.targets[soft][:, 5]
    np.testing.assert_allclose(np.log(any_ / (1 - any_)) - np.log(consensus / (1 - consensus)), 5, atol=1e-3)
    assert np.isnan(trained.targets[soft][:, 10]).all()
    assert (trained.unions[soft][:, 0] > any_).all()


def test_a_fold_takes_no_opinion_on_posts_that_it_holds_out(data: Path) -> None:
    run(data / "teacher.yaml", data, data / "soft.parquet", *runs(data))
    trained, held = read_examples(load(str(data / "student.yaml")), data, Fold(0, FOLDS))
    soft = [id_ for id_, source in zip(trained.ids, trained.sources, strict=True) if source == "soft"]
    assert len(held)
    assert set(soft) == {f"id{number}" for number in range(24)} - set(held.ids)


def test_runs_of_other_folds_are_refused(data: Path) -> None:
    with pytest.raises(SystemExit, match="is not fold 0/3 of this recipe"):
        run(data / "teacher.yaml", data, data / "soft.parquet", *reversed(runs(data)))
