"""What an export reads of a checkpoint."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch", reason="checkpoints belong to crossguard[train]")

from tests.support.tiny_bundle import tokenizer

from crossguard.errors import BundleError
from crossguard.export.source import open_checkpoint, public_name
from crossguard.models.building import tiny
from crossguard.models.config import ModelConfig
from crossguard.models.loading import save_model

MISSING = object()


@pytest.mark.parametrize(
    ("name", "public"),
    [("openai/clip-vit-base-patch32", "openai/clip-vit-base-patch32"), ("./here", "here"), ("~/models/mine", "mine")],
)
def test_an_encoder_is_named_without_the_folders_of_this_machine(name: str, public: str) -> None:
    assert public_name(name) == public


def test_a_folder_that_is_here_is_an_encoder_of_this_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "team" / "clip").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    assert [public_name("team/clip"), public_name("other/clip")] == ["clip", "other/clip"]


def test_a_folder_without_weights_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=r"model\.safetensors"):
        open_checkpoint(tmp_path)


def checkpoint(folder: Path, **told: Any) -> Path:
    """A tiny checkpoint of two outputs; a key that is told as `MISSING` is left out."""
    save_model(tiny(ModelConfig("clip", num_outputs=2, fusion_dim=8)), folder)
    tokenizer().save(str(folder / "tokenizer.json"))
    stored = {"class_names": ["racist", "sexist"], "thresholds": [0.3, 0.5], "encoder_name": "clip"} | told
    written = {key: value for key, value in stored.items() if value is not MISSING}
    (folder / "inference_config.json").write_text(json.dumps(written))
    return folder


def test_a_mean_of_runs_names_them_and_knows_what_any_of_them_was_trained_on(tmp_path: Path) -> None:
    one = checkpoint(tmp_path / "one", untrained=["text", "image"])
    other = checkpoint(tmp_path / "other", untrained=["image"])
    source = open_checkpoint(one, (other,))
    assert (source.averaged, source.inference["untrained"]) == ((other,), ["image"])
    assert open_checkpoint(one).inference["untrained"] == ["text", "image"]


@pytest.mark.parametrize(
    ("told", "message"),
    [
        ({"thresholds": MISSING}, r"inference_config\.json: Missing key 'thresholds'"),
        ({"thresholds": None}, r"inference_config\.json: 'thresholds': Input should be a valid tuple"),
        ({"thresholds": [0.3, 1.5]}, r"inference_config\.json: 'thresholds\.1': .* less than or equal to 1"),
        ({"thresholds": [0.3]}, "inconsistent: it has 2 class_names and 1 thresholds"),
        ({"class_names": {"0": "racist", "1": "sexist"}}, r"'class_names': Input should be a valid tuple"),
        ({"class_names": list("abc"), "thresholds": [0.5] * 3}, "its labels are 3 outputs, and the model has 2"),
        ({"label_schemes": {"any": [0, 7]}}, "its labels are 8 outputs, and the model has 2"),
        ({"label_schemes": {"any": []}}, "label scheme 'any' has 0 columns for 2 labels"),
        ({"max_text_length": None}, r"inference_config\.json: 'max_length': Input should be a valid integer"),
        ({"class_names": MISSING}, "cannot be loaded: its configuration has no 'class_names'"),
    ],
)
def test_a_configuration_that_does_not_fit_is_told(tmp_path: Path, told: dict[str, Any], message: str) -> None:
    with pytest.raises(BundleError, match=message):
        open_checkpoint(checkpoint(tmp_path, **told))


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ({"backend": "blip"}, "Unknown backend 'blip'. Known: clip, compact, siglip"),
        ({"head": "concat"}, "Unknown head 'concat'. Known: fusion, mtl"),
        ({"encoder": {}}, r"encoder 'clip' cannot be had: .*Put the encoder's config\.json into .*clip"),
    ],
)
def test_a_model_that_cannot_be_built_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shape: dict[str, Any], message: str
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    folder = checkpoint(tmp_path)
    config = json.loads((folder / "config.json").read_text()) | shape
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(BundleError, match=f"cannot be loaded: .*{message}"):
        open_checkpoint(folder)


def test_of_runs_that_cannot_be_averaged_the_one_that_differs_is_named(tmp_path: Path) -> None:
    for name, labels in (("a", ["racist"]), ("b", ["sexist"])):
        save_model(tiny(ModelConfig("clip", num_outputs=1, fusion_dim=8)), tmp_path / name)
        stored = {"class_names": labels, "thresholds": [0.5]}
        (tmp_path / name / "inference_config.json").write_text(json.dumps(stored))
    with pytest.raises(BundleError, match=r"a cannot be averaged with .*b: .*b predicts \[sexist\].*\[racist\]"):
        open_checkpoint(tmp_path / "a", (tmp_path / "b",))
