"""The files of a finished run."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.metrics import f1_score, precision_score

pytest.importorskip("torch", reason="training belongs to crossguard[train]")

import pyarrow as pa

from crossguard.errors import OutputError
from crossguard.evaluation.leakage import hashes, overlap
from crossguard.evaluation.score_tables import unpack_texts
from crossguard.models.building import tiny
from crossguard.models.config import ModelConfig
from crossguard.records import Post
from crossguard.training.checkpoint_files import provenance, write_checkpoint_files
from crossguard.training.examples import Examples
from crossguard.training.recipe import Recipe

RECIPE = Recipe(labels=("racist", "sexist", "otherhate"), encoder_name="tiny", fusion_dim=8, image_size=32)


def examples(n: int) -> Examples:
    random = np.random.default_rng(0)
    targets = (random.random((n, 3)) < 0.4).astype(np.float32)
    targets[:, 2] = np.nan
    names, nothing = [f"p{number}" * (1000 if number == 1 else 1) for number in range(n)], [""] * n
    posts = pa.table({"id": names, "text": names, "image_text": nothing, "image": nothing, "source": ["t"] * n})
    ones = np.ones_like(targets)
    return Examples(posts, targets, targets[:, :1], ones, ones[:, 0])


def write(folder: Path, measured: Examples, logits: NDArray[np.float32]) -> None:
    write_checkpoint_files(
        RECIPE,
        tiny(ModelConfig("clip", num_outputs=3, fusion_dim=8)),
        folder,
        trained=measured,
        measured=measured,
        measures={"loss": 1.0},
        logits=logits,
        cut=np.arange(len(measured)) < 7,
        tokenizer="{}",
        untrained=["image"],
    )


@pytest.mark.parametrize("n", [0, 80])
def test_the_report_is_that_of_an_evaluation_at_the_best_thresholds(n: int, tmp_path: Path) -> None:
    measured = examples(n)
    noise = np.random.default_rng(1).normal(size=(n, 3))
    logits = (2 * np.nan_to_num(measured.targets) - 1 + noise).astype(np.float32)
    write(tmp_path, measured, logits)
    assert (tmp_path / "tokenizer.json").read_text(encoding="utf-8") == "{}"
    report = json.loads((tmp_path / "val_report.json").read_text(encoding="utf-8"))
    stored = json.loads((tmp_path / "inference_config.json").read_text(encoding="utf-8"))
    assert stored["thresholds"][2] == 0.5
    assert stored["untrained"] == ["image"]
    with np.load(tmp_path / "predictions.npz") as predictions:
        assert predictions["cut"].sum() == min(n, 7)
        assert unpack_texts(predictions["ids"]) == measured.ids
        assert unpack_texts(predictions["sources"]) == measured.sources
        assert unpack_texts(predictions["contents"]) == hashes(Post(name, name) for name in measured.ids)
        assert predictions["ids"].nbytes < 10_000, "one long id makes the others no longer"
    assert "otherhate" not in report, "nobody knows anything of it"
    if not n:
        return
    truth, scores = measured.targets[:, 0] > 0, 1 / (1 + np.exp(-logits[:, 0].astype(np.float64)))
    flags = scores >= stored["thresholds"][0]
    assert report["racist"]["precision"] == pytest.approx(precision_score(truth, flags))
    assert report["racist"]["threshold"] == stored["thresholds"][0]
    assert report["racist"]["f1-score"] == pytest.approx(max(f1_score(truth, scores >= limit) for limit in scores))
    assert report["macro avg"]["support"] == int(measured.targets[:, :2].sum())


def test_thresholds_are_not_fitted_to_fewer_posts_than_those_of_a_policy(tmp_path: Path) -> None:
    measured, words = examples(60), [f"word {row}" for row in range(60)]
    words[10:20] = ["the same words"] * 10
    for column, places in enumerate((range(10), range(9), range(9, 20))):  # of the last one, ten posts are one
        measured.targets[:, column] = 0
        measured.targets[places, column] = 1
    measured = replace(measured, posts=measured.posts.set_column(1, "text", pa.array(words)))
    write(tmp_path, measured, np.random.default_rng(1).normal(-3, 1, size=(60, 3)).astype(np.float32))
    stored = json.loads((tmp_path / "inference_config.json").read_text(encoding="utf-8"))
    assert stored["unfitted"] == ["sexist", "otherhate"]
    assert [limit == 0.5 for limit in stored["thresholds"]] == [False, True, True]


@pytest.mark.parametrize("name", ["tokenizer.json", "provenance.json", "predictions.npz", "config.json"])
def test_weights_are_the_sign_of_a_finished_run(name: str, tmp_path: Path) -> None:
    """A run that ends while it writes these files must not pass for one that can be exported."""
    (tmp_path / name).mkdir()
    with pytest.raises(OutputError, match=name):
        write(tmp_path, examples(3), np.zeros((3, 3), dtype=np.float32))
    assert not (tmp_path / "model.safetensors").exists()
    (tmp_path / name).rmdir()
    write(tmp_path, examples(3), np.zeros((3, 3), dtype=np.float32))
    assert (tmp_path / "model.safetensors").is_file()


def test_half_of_the_votes_are_a_yes_as_in_an_evaluation(tmp_path: Path) -> None:
    posts = examples(80)
    logits = np.random.default_rng(1).normal(size=(80, 3)).astype(np.float32)
    found = []
    for name, part in (("whole", 1.0), ("half", 0.5)):
        (tmp_path / name).mkdir()
        write(tmp_path / name, replace(posts, targets=posts.targets * np.float32(part)), logits)
        found.append((tmp_path / name / "val_report.json").read_text(encoding="utf-8"))
    assert found[0] == found[1]


def test_posts_without_words_are_known_again_by_their_images(tmp_path: Path) -> None:
    for number in range(3):
        (tmp_path / f"{number}.png").write_bytes(bytes([number]))
    images, nothing = [str(tmp_path / f"{number}.png") for number in range(3)], [""] * 3
    posts = pa.table({"id": nothing, "text": nothing, "image_text": nothing, "image": images, "source": ["t"] * 3})
    trained = replace(examples(3), posts=posts)
    (entry,) = provenance(trained, trained)["trained_on"]
    copies = [Post("", image=(tmp_path / f"{number}.png").read_bytes()) for number in range(3)]
    assert overlap(entry["sketch"], hashes([*copies, Post("", image=b"another")])).seen == 3
