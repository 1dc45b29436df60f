"""The Hugging Face folder, through the model cards' own snippets; and the published layout, through this package."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("torch", reason="training belongs to crossguard[train]")

import torch
from tokenizers import Tokenizer
from tokenizers.models import WordLevel

import crossguard
from crossguard.cli import run
from crossguard.export.bundle import ExportPlan, as_bundle, export_bundle
from crossguard.export.huggingface import export_huggingface
from crossguard.export.source import public_name
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


# The snippet of the SigLIP2 model card, word for word but for the names of the model and of its encoder.
SIGLIP_CARD = """
import json, sys
from transformers import AutoModel, AutoProcessor
from PIL import Image
import torch

model = AutoModel.from_pretrained(
    NAME,
    trust_remote_code=True
)
processor = AutoProcessor.from_pretrained(ENCODER)

rows = []
for path, text in zip(PATHS, TEXTS):
    image = Image.open(path)
    inputs = processor(
        text=[text],
        images=[image],
        return_tensors="pt",
        padding=True,
        truncation=True
    )
    model.eval()
    with torch.no_grad():
        outputs = model(**inputs)
        probabilities = torch.sigmoid(outputs["logits"])
    rows.append(probabilities[0].tolist())
inputs = processor(text=TEXTS, images=[Image.open(path) for path in PATHS], return_tensors="pt", padding=True,
    truncation=True)
with torch.no_grad():
    batch = torch.sigmoid(model(**inputs)["logits"]).tolist()
print(json.dumps({"single": rows, "batch": batch, "predicted": model.predict(**inputs)}))
"""
GOOGLE = {"resize": "squash", "interpolation": "bilinear"}
TEXTS = ["abc", "ABC Hello", "a somewhat longer text " * 3, "short", "Mixed CASE 123", "z"]
SHAPES = [(40, 50), (90, 31), (32, 32), (20, 64), (200, 100), (31, 90)]


def published_encoder(folder: Path, hub: Path) -> Path:
    """Writes the processor of an encoder as google/siglip2-base-patch16-224 has it."""
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps({"model_type": "siglip"}))
    size = {"height": 32, "width": 32}
    image = {"image_processor_type": "SiglipImageProcessor", "processor_class": "SiglipProcessor", "do_resize": True}
    image |= {"size": size, "resample": 2, "image_mean": [0.5] * 3, "image_std": [0.5] * 3}
    (folder / "preprocessor_config.json").write_text(json.dumps(image))
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copyfile(hub / name, folder / name)
    return folder


@pytest.mark.slow
@pytest.mark.parametrize(
    ("backend", "image"),
    [
        ("siglip", GOOGLE),
        ("siglip", {"resize": "crop", "interpolation": "bicubic"}),
        ("clip", {"resize": "crop", "interpolation": "bicubic"}),
        ("compact", {"resize": "squash", "interpolation": "bicubic"}),
    ],
)
def test_the_siglip_cards_snippet_gives_what_the_bundle_gives(
    backend: str, image: dict[str, str], tmp_path: Path
) -> None:
    checkpoint = write_checkpoint(tmp_path / "run", backend)
    inference = json.loads((checkpoint / "inference_config.json").read_text())
    (checkpoint / "inference_config.json").write_text(json.dumps(inference | {"image": image}))
    export_huggingface(checkpoint, tmp_path / "hub")
    export_bundle(checkpoint, tmp_path / "bundle", ExportPlan("tiny"))
    random = np.random.default_rng(0)
    paths = [tmp_path / f"{number}.png" for number in range(len(SHAPES))]
    for path, shape in zip(paths, SHAPES, strict=True):
        Image.fromarray(random.integers(0, 256, (*shape, 3)).astype(np.uint8)).save(path)

    own = [f"{name} = {value!r}" for name, value in (("NAME", str(tmp_path / "hub")), ("TEXTS", TEXTS))]
    own.append(f"PATHS = {[str(path) for path in paths]!r}")
    script = "\n".join([*own, SIGLIP_CARD])
    if image == GOOGLE:  # then the encoder's own processor does what the folder's does
        script = script.replace("ENCODER", repr(str(published_encoder(tmp_path / "encoder", tmp_path / "hub"))))
    else:
        script = script.replace("ENCODER", "NAME, trust_remote_code=True")
    environment = {**os.environ, "HF_HOME": str(tmp_path / "hf"), "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-W", "ignore", "-c", script]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)

    moderator = crossguard.load(tmp_path / "bundle")
    posts = [{"text": text, "image": str(path)} for text, path in zip(TEXTS, paths, strict=True)]
    logits, _ = moderator.logits(posts)
    expected = 1 / (1 + np.exp(-logits.values))
    assert np.abs(np.array(told["single"]) - expected).max() < 0.01
    assert np.abs(np.array(told["batch"]) - expected).max() < 0.01
    assert np.ptp(expected, axis=0).max() > 0.001, "posts that all look alike would prove nothing"
    for row, predicted in zip(expected, told["predicted"], strict=True):
        assert list(predicted["predictions"].values()) == (row >= np.array(THRESHOLDS)).tolist()


def test_a_hub_folder_has_a_card_and_no_path_of_this_machine(tmp_path: Path) -> None:
    checkpoint = write_checkpoint(tmp_path / "run")
    encoder = tmp_path / "my-encoders" / "clip-base"
    encoder.mkdir(parents=True)
    inference = json.loads((checkpoint / "inference_config.json").read_text())
    (checkpoint / "inference_config.json").write_text(json.dumps(inference | {"encoder_name": str(encoder)}))
    (checkpoint / "recipe.yaml").write_text(f"encoder_name: {encoder}\n")
    export_huggingface(checkpoint, tmp_path / "hub")
    export_bundle(checkpoint, tmp_path / "bundle", ExportPlan("tiny"))
    files = [path for folder in ("hub", "bundle") for path in (tmp_path / folder).rglob("*") if path.is_file()]
    assert [path.name for path in files if b"my-encoders" in path.read_bytes()] == []
    card = (tmp_path / "hub" / "README.md").read_text()
    assert card.startswith("---\nlibrary_name: transformers")
    assert "clip-base" in card
    assert "@" not in card
    assert [public_name(name) for name in (str(encoder), "a/b", "./here", "~/x/y")] == ["clip-base", "a/b", "here", "y"]


def test_what_cannot_be_exported_is_said_in_a_line_and_leaves_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    checkpoint = write_checkpoint(tmp_path / "run")
    inference = json.loads((checkpoint / "inference_config.json").read_text())
    (checkpoint / "inference_config.json").write_text(json.dumps(inference | {"image_size": 64}))
    for form in ("onnx", "huggingface"):
        assert run(["export", str(checkpoint), str(tmp_path / "out"), "--format", form]) == 4
        message = capsys.readouterr().err
        assert "takes images of 32 pixels, not 64; set image_size=32" in message
        assert message.count("\n") == 1
    assert {path.name for path in tmp_path.iterdir()} == {"run"}


def test_the_tokenizer_of_another_encoder_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    checkpoint = write_checkpoint(tmp_path / "run")
    tokenizer = Tokenizer(WordLevel({f"w{number}": number for number in range(200)}))
    tokenizer.save(str(checkpoint / "tokenizer.json"))
    assert run(["export", str(checkpoint), str(tmp_path / "out")]) == 4
    assert "knows 99 token ids, and its tokenizer gives 199" in capsys.readouterr().err


def test_exporting_and_loading_a_published_checkpoint_agree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CROSSGUARD_CACHE", str(tmp_path / "cache"))
    checkpoint = write_checkpoint(tmp_path / "published", "siglip")
    inference = json.loads((checkpoint / "inference_config.json").read_text())
    for name in ("image_size", "max_text_length"):
        del inference[name]
    (checkpoint / "inference_config.json").write_text(json.dumps(inference))
    (checkpoint / "encoder").mkdir()
    tokenizer = json.loads((checkpoint / "tokenizer.json").read_text()) | {"normalizer": None}
    (checkpoint / "encoder" / "tokenizer.json").write_text(json.dumps(tokenizer))
    (checkpoint / "tokenizer.json").unlink()

    exported = export_bundle(checkpoint, tmp_path / "bundle", ExportPlan("published"))
    loaded = crossguard.load(checkpoint).bundle
    assert exported.manifest.image == loaded.manifest.image
    assert exported.manifest.text == loaded.manifest.text
    assert (exported.manifest.image.interpolation, exported.manifest.image.size) == ("bilinear", 32)
    assert exported.manifest.text.max_length == 64
    assert exported.tokenizer.read_text() == loaded.tokenizer.read_text()
    assert "Lowercase" in exported.tokenizer.read_text()
    assert exported.manifest.files["text.onnx"] == loaded.manifest.files["text.onnx"]

    changed = json.loads((checkpoint / "encoder" / "tokenizer.json").read_text())
    changed["model"]["vocab"]["é"] = 90
    (checkpoint / "encoder" / "tokenizer.json").write_text(json.dumps(changed))
    assert "é" in crossguard.load(checkpoint).bundle.tokenizer.read_text(), "another tokenizer is another conversion"


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
    picture = Image.fromarray(np.random.default_rng(0).integers(0, 256, (50, 40, 3)).astype(np.uint8))

    moderator = crossguard.load(checkpoint)
    decision = moderator.score(text="abc", image=picture)

    assert decision.model == "clip-vit-base-mmhs150k-fusion"
    assert [label.threshold for label in decision.labels.values()] == THRESHOLDS
    assert set(decision.to_card()) == {"predictions", "probabilities"}
    made = (as_bundle(checkpoint) / "bundle.json").stat().st_mtime_ns
    assert (as_bundle(checkpoint / "checkpoint-33708") / "bundle.json").stat().st_mtime_ns == made
