"""The scripts that make the model in the box: what repeats a suite goes, and a released bundle is a start."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

pytest.importorskip("torch", reason="training belongs to crossguard[train]")

import torch
from safetensors.torch import load_file, save_file

import crossguard
from crossguard.data.datasets.rows import Row, read_table, write_table
from crossguard.preprocessing.text import pad
from crossguard.records import Post
from crossguard.training.recipes import load
from crossguard.training.run import build_model
from crossguard.training.tokenizers import MaskingEncoder, write_tokenizer

SCRIPTS = Path(__file__).resolve().parents[3] / "scripts"
BUNDLE = Path(crossguard.__file__).parent / "resources" / "compact"


def script(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, SCRIPTS / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_posts_that_repeat_a_suite_are_dropped(tmp_path: Path) -> None:
    overlaps = script("drop_overlaps")
    suite = overlaps.Suite({"We met our new neighbours at the fair today.", "I like tea."})
    rows = [
        Row("equal", "I LIKE TEA!!", labels={"racist": 0.0}),
        Row("near", "yes, we met our new neighbours at the fair today. lovely", labels={"racist": 0.0}),
        Row("other", "we met our old friends at the station", labels={"racist": 0.0}),
        Row("short", "i like tea and coffee", labels={"racist": 0.0}),
        Row("words", "", "I like", labels={"racist": 0.0}),
    ]
    write_table(rows, ("racist",), "t", tmp_path / "t.parquet")
    assert overlaps.clean(tmp_path / "t.parquet", suite) == {"equal": 1, "near": 1}
    assert read_table(tmp_path / "t.parquet")["id"].to_pylist() == ["other", "short", "words"]


def test_training_starts_from_what_a_released_bundle_says(tmp_path: Path) -> None:
    found = script("start_from_bundle")
    recipe = load("compact-text")
    found.write_start(recipe, BUNDLE, tmp_path / "start")
    model = build_model(recipe, [tmp_path / "start"]).eval()
    texts = ["have a nice day", "you are all idiots", "those people should go away", "what a match yesterday"]
    moderator = crossguard.load("compact")
    served = moderator.logits([Post(str(row), text) for row, text in enumerate(texts)])[0].values
    encoder = MaskingEncoder(tmp_path / "t.json", recipe.text_spec(write_tokenizer(recipe, tmp_path / "t.json")))
    ids, mask = pad([tokens.ids for tokens in encoder.encode([(text, "") for text in texts])], encoder.spec)
    with torch.no_grad():
        logits = model(torch.from_numpy(ids), torch.from_numpy(mask))["logits"].numpy()[:, : served.shape[1]]
    assert np.abs(logits - served).mean() < 0.1 * np.abs(served).mean()


def test_the_mean_keeps_the_outputs_that_the_start_was_not_trained_for(tmp_path: Path) -> None:
    weights = {"run": 3.0, "start": 1.0}
    for name, value in weights.items():
        (tmp_path / name).mkdir()
        tensors = {"proj_t.bias": torch.full((2,), value), "cls.4.bias": torch.full((4,), value), "n": torch.tensor(7)}
        save_file(tensors, tmp_path / name / "model.safetensors")
    (tmp_path / "run" / "recipe.yaml").write_text("seed: 0")
    shares = {tmp_path / "run": 1.0, tmp_path / "start": 1.0}
    script("average_weights").write_average(tmp_path / "mean", shares, tmp_path / "start", 3)
    mean = load_file(tmp_path / "mean" / "model.safetensors")
    assert mean["proj_t.bias"].tolist() == [2.0, 2.0]
    assert mean["cls.4.bias"].tolist() == [2.0, 2.0, 2.0, 3.0]
    assert mean["n"].item() == 7
    assert (tmp_path / "mean" / "recipe.yaml").read_text() == "seed: 0"
