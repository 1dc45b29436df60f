"""What teachers think of posts, written as a table, and what a run of one fold takes of it."""

from __future__ import annotations

import json
import runpy
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="training belongs to crossguard[train]")

from crossguard.bundle import Bundle, write_manifest
from crossguard.data.datasets.rows import Row, read_table, write_table
from crossguard.labels import HATE
from crossguard.moderator import Moderator
from crossguard.training.examples import Fold, read_examples
from crossguard.training.recipes import load

SCRIPT = Path(__file__).resolve().parents[3] / "scripts" / "write_soft_labels.py"
RECIPE = """\
extends: compact-teacher
sources:
  soft: {table: soft-one, label_schemes: {any: votes}, evaluate: false}
"""


@pytest.fixture
def data(tiny_bundle: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    texts = [f"hello {word} people {number}" for number, word in enumerate(["good", "awful", "love", "hate"] * 5)]
    votes = dict.fromkeys(HATE.names, 0.0)
    rows = [Row(f"id{number}", text, labels=votes) for number, text in enumerate([*texts, ""])]
    write_table(rows, HATE.names, "mmhs150k", tmp_path / "mmhs150k.parquet")
    for name in ("one", "two"):
        shutil.copytree(tiny_bundle.folder, tmp_path / name)
    other = json.loads((tmp_path / "two" / "bundle.json").read_text())
    other["label_schemes"]["any"] = other["label_schemes"]["consensus"]
    write_manifest(tmp_path / "two", {name: value for name, value in other.items() if name != "files"})
    teachers = [f"--teacher={tmp_path / name}" for name in ("one", "two")]
    monkeypatch.setattr(sys, "argv", [str(SCRIPT), "compact-teacher", str(tmp_path), *teachers])
    runpy.run_path(str(SCRIPT), run_name="__main__")
    return tmp_path


def shares(path: Path) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    table = read_table(path)
    return np.stack([table[label].to_numpy() for label in HATE.names], axis=1)


def test_the_labels_are_what_the_teacher_says_of_the_words(data: Path) -> None:
    table = read_table(data / "soft-one.parquet")
    assert table["id"].to_pylist() == [f"id{number}" for number in range(20)], "the post without words is left out"
    logits, _ = Moderator.load(data / "one").logits([{"text": text} for text in table["text"].to_pylist()])
    expected = 1 / (1 + np.exp(-logits.values[:, :5]))
    found = shares(data / "soft-one.parquet")
    np.testing.assert_allclose(found, expected, atol=1e-6)
    np.testing.assert_allclose(table["hateful"].to_numpy(), 1 - np.prod(1 - expected, axis=1), atol=1e-6)
    both = (found + shares(data / "soft-two.parquet")) / 2
    np.testing.assert_allclose(shares(data / "soft-mean.parquet"), both, atol=1e-6)


def test_a_fold_takes_no_opinion_on_posts_that_it_holds_out(data: Path) -> None:
    (data / "student.yaml").write_text(RECIPE)
    trained, held = read_examples(load(str(data / "student.yaml")), data, Fold(0, 3))
    soft = [id_ for id_, source in zip(trained.ids, trained.sources, strict=True) if source == "soft"]
    assert len(held)
    assert set(soft) == {f"id{number}" for number in range(20)} - set(held.ids)
