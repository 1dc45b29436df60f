"""The Hugging Face folder, through the model cards' own snippets; and the published layout, through this package."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("torch", reason="training belongs to crossguard[train]")

import torch

import crossguard
from crossguard.errors import BundleError
from crossguard.export.huggingface import export_huggingface
from crossguard.export.published import as_bundle, is_checkpoint
from crossguard.export.push import LEFT_HOME, push
from crossguard.models.building import tiny
from crossguard.models.config import ModelConfig
from crossguard.models.loading import load_checkpoint, save_model
from crossguard.training.recipe import Recipe
from crossguard.training.tokenizers import write_tokenizer

NAMES = ["racist", "sexist", "homophobe", "religion", "otherhate"]
THRESHOLDS = [0.35, 0.70, 0.75, 0.30, 0.60]
# What transformers says about configurations without a registered class.
pytestmark = pytest.mark.filterwarnings("default")

LOAD = """
import json, sys, torch
from transformers import AutoModel
from safetensors.torch import load_file
folder = sys.argv[1]
model = AutoModel.from_pretrained(folder, trust_remote_code=True)
model.eval()
"""
QUICK_START = """
with torch.no_grad():
    result = model.predict(
        input_ids=inputs["input_ids"],
        attention_mask=inputs["attention_mask"],
        pixel_values=inputs["pixel_values"]
    )
"""
BATCH = """
with torch.no_grad():
    outputs = model(
        input_ids=inputs["input_ids"],
        attention_mask=inputs["attention_mask"],
        pixel_values=inputs["pixel_values"]
    )
    probabilities = torch.sigmoid(outputs["logits"])
thresholds = torch.tensor([0.35, 0.70, 0.75, 0.30, 0.60])
predictions = (probabilities > thresholds).int()
"""
DEVICE = """
device = "cuda" if torch.cuda.is_available() else "cpu"
model = model.to(device)
inputs = {k: v.to(device) for k, v in inputs.items()}
with torch.no_grad():
    moved = model.predict(**inputs)
"""
CONFIG_ONLY = """
with open(f"{folder}/inference_config.json") as f:
    config = json.load(f)
print(f"Classes: {config['class_names']}", file=sys.stderr)
print(f"Thresholds: {config['thresholds']}", file=sys.stderr)
print(f"Encoder: {config['encoder_name']}", file=sys.stderr)
"""
TELL = """
one = {k: v[:1] for k, v in inputs.items()}
foreign = sorted(name for name in sys.modules if name.split(".")[0] == "crossguard")
print(json.dumps({"single": model.predict(**one), "batch": result, "moved": moved, "logits": outputs["logits"].tolist(),
                  "predictions": predictions.tolist(), "foreign": foreign}))
"""


def write_checkpoint(folder: Path, backend: str = "clip", head: str = "fusion") -> Path:
    """Writes a tiny checkpoint in the published layout: weights below, configuration above."""
    torch.manual_seed(0)
    model = tiny(ModelConfig(backend, head, 5, fusion_dim=16, head_hidden_dim=8 if head == "mtl" else 0))
    save_model(model, folder)
    (folder / "checkpoint-33708").mkdir()
    (folder / "model.safetensors").rename(folder / "checkpoint-33708" / "model.safetensors")
    inference = {"class_names": NAMES, "thresholds": THRESHOLDS, "encoder_name": "encoder", "backend": backend}
    inference |= {"image_size": 32, "max_text_length": 64}
    (folder / "inference_config.json").write_text(json.dumps(inference))
    write_tokenizer(Recipe(backend=backend, encoder_name="tiny", max_text_length=64), folder / "tokenizer.json")
    return folder


def posts() -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    ids = torch.randint(4, 40, (2, 64), generator=generator)
    ids[:, -1] = 98
    pixels = torch.randn(2, 3, 32, 32, generator=generator)
    return {"input_ids": ids, "attention_mask": torch.ones_like(ids), "pixel_values": pixels}


@pytest.mark.slow
@pytest.mark.parametrize(("backend", "head"), [("clip", "fusion"), ("siglip", "mtl"), ("compact", "fusion")])
def test_the_snippets_of_the_cards_run_without_this_package(backend: str, head: str, tmp_path: Path) -> None:
    from safetensors.torch import save_file

    checkpoint, out = write_checkpoint(tmp_path / "run", backend, head), tmp_path / "hub"
    export_huggingface(checkpoint, out)
    save_file(posts(), tmp_path / "inputs.safetensors")
    script = tmp_path / "script.py"
    load_inputs = "inputs = load_file(sys.argv[2])\n"
    script.write_text(LOAD + load_inputs + QUICK_START + BATCH + DEVICE + CONFIG_ONLY + TELL)
    environment = {**os.environ, "HF_HOME": str(tmp_path / "hf"), "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-W", "ignore", str(script), str(out), str(tmp_path / "inputs.safetensors")]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)

    with torch.no_grad():
        expected = load_checkpoint(checkpoint).model(**posts())["logits"]
    assert told["foreign"] == []
    assert np.abs(np.array(told["logits"]) - expected.numpy()).max() < 1e-5
    assert set(told["single"]) == {"predictions", "probabilities"}
    assert list(told["single"]["probabilities"]) == NAMES
    for other in (told["batch"][0], told["moved"][0]):
        assert other["predictions"] == told["single"]["predictions"]
        assert other["probabilities"] == pytest.approx(told["single"]["probabilities"], abs=1e-6)
    flags = torch.sigmoid(expected) > torch.tensor(THRESHOLDS)
    assert told["predictions"] == flags.int().tolist()
    assert list(told["single"]["predictions"].values()) == flags[0].tolist()
    assert "Encoder: encoder" in done.stderr


def test_an_exported_folder_loads_through_the_package_too(tmp_path: Path) -> None:
    checkpoint = write_checkpoint(tmp_path / "run")
    export_huggingface(checkpoint, tmp_path / "hub")
    again = load_checkpoint(tmp_path / "hub")
    with torch.no_grad():
        first, second = load_checkpoint(checkpoint).model(**posts()), again.model(**posts())
    assert torch.equal(first["logits"], second["logits"])
    assert again.inference["thresholds"] == THRESHOLDS


@pytest.mark.slow
def test_a_published_checkpoint_is_one_line_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CROSSGUARD_CACHE", str(tmp_path / "cache"))
    checkpoint = write_checkpoint(tmp_path / "clip-vit-base-mmhs150k-fusion")
    assert is_checkpoint(checkpoint)
    assert is_checkpoint(checkpoint / "checkpoint-33708")
    picture = Image.fromarray(np.random.default_rng(0).integers(0, 256, (50, 40, 3)).astype(np.uint8))

    moderator = crossguard.load(checkpoint)
    decision = moderator.score(text="abc", image=picture)

    assert decision.model == "clip-vit-base-mmhs150k-fusion"
    assert [label.threshold for label in decision.labels.values()] == THRESHOLDS
    assert set(decision.to_card()) == {"predictions", "probabilities"}
    made = (as_bundle(checkpoint) / "bundle.json").stat().st_mtime_ns
    assert (as_bundle(checkpoint / "checkpoint-33708") / "bundle.json").stat().st_mtime_ns == made


def test_other_folders_are_no_checkpoints(tmp_path: Path) -> None:
    assert not is_checkpoint(tmp_path)


class FakeHub:
    """Remembers what it was asked."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, dict[str, object]]] = []

    def create_repo(self, repository: str, **options: object) -> None:
        self.calls.append((repository, options))

    def upload_folder(self, **options: object) -> str:
        self.calls.append(("upload", options))
        return f"https://huggingface.co/{options['repo_id']}"


def test_push_uploads_the_folder_and_leaves_private_files_home(tmp_path: Path) -> None:
    export_huggingface(write_checkpoint(tmp_path / "run"), tmp_path / "hub")
    hub = FakeHub()
    assert push(tmp_path / "hub", "me/model", private=True, api=hub) == "https://huggingface.co/me/model"
    assert hub.calls[0] == ("me/model", {"private": True, "exist_ok": True})
    assert hub.calls[1][1]["ignore_patterns"] == list(LEFT_HOME)


def test_push_refuses_a_folder_that_is_no_export(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="crossguard export"):
        push(tmp_path, "me/model", api=FakeHub())
