"""Checkpoints on disk."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="the networks need crossguard[train]")

import torch
from safetensors.torch import load_file, save_file

from crossguard.errors import OutputError
from crossguard.models.building import tiny
from crossguard.models.config import ModelConfig
from crossguard.models.loading import (
    Outputs,
    find_inference_config,
    find_weights,
    load_average,
    load_checkpoint,
    save_model,
)

LABELS = ("racist", "sexist")
WANTED = Outputs.of({"class_names": LABELS})


def write_run(folder: Path, labels: tuple[str, ...] = LABELS, *, seed: int = 0, fusion_dim: int = 8) -> Path:
    torch.manual_seed(seed)
    save_model(tiny(ModelConfig("clip", num_outputs=len(labels), fusion_dim=fusion_dim)), folder)
    (folder / "inference_config.json").write_text(json.dumps({"class_names": labels, "thresholds": [0.5] * 2}))
    return folder


def test_the_newest_checkpoint_that_holds_weights_is_taken(tmp_path: Path) -> None:
    for step in (2, 10):
        (tmp_path / f"checkpoint-{step}").mkdir()
        (tmp_path / f"checkpoint-{step}" / "model.safetensors").touch()
    (tmp_path / "checkpoint-30").mkdir()
    assert find_weights(tmp_path).parent.name == "checkpoint-10"
    (tmp_path / "model.safetensors").touch()
    assert find_weights(tmp_path).parent == tmp_path


def test_what_a_folder_lacks_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"holds no model.safetensors"):
        find_weights(tmp_path)
    with pytest.raises(FileNotFoundError, match=r"has no inference_config.json"):
        find_inference_config(tmp_path / "below" / "it")


@pytest.mark.parametrize("size", [0, 4, 200])
def test_weights_that_were_cut_off_are_told(tmp_path: Path, size: int) -> None:
    save_model(tiny(ModelConfig("clip", num_outputs=1, fusion_dim=8)), tmp_path)
    (tmp_path / "inference_config.json").write_text(json.dumps({"class_names": ["racist"], "thresholds": [0.5]}))
    weights = tmp_path / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:size])
    with pytest.raises(ValueError, match=r"model.safetensors is broken or was cut off"):
        load_checkpoint(tmp_path)


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("inference_config.json", "[]", "must hold an object, and holds list"),
        ("config.json", "null", "must hold an object, and holds NoneType"),
        ("config.json", "{", "is no JSON: Expecting"),
    ],
)
def test_a_configuration_that_is_none_is_told(tmp_path: Path, name: str, content: str, told: str) -> None:
    save_model(tiny(ModelConfig("clip", num_outputs=1, fusion_dim=8)), tmp_path)
    (tmp_path / "inference_config.json").write_text(json.dumps({"class_names": ["racist"], "thresholds": [0.5]}))
    (tmp_path / name).write_text(content)
    with pytest.raises(ValueError, match=rf"{name} {told}"):
        load_checkpoint(tmp_path)


def test_runs_of_one_recipe_are_averaged(tmp_path: Path) -> None:
    runs = [write_run(tmp_path / str(seed), seed=seed) for seed in range(3)]
    weights = [load_checkpoint(run).model.state_dict() for run in runs]
    model = load_checkpoint(runs[0]).model
    load_average(model, runs, WANTED)
    for name, mean in model.state_dict().items():
        if mean.is_floating_point():
            torch.testing.assert_close(mean, torch.stack([one[name] for one in weights]).mean(dim=0))


@pytest.mark.parametrize(
    ("other", "told"),
    [
        ("{encoder_name: a, init_seed: 1}", r"c began with 'init_seed: 1', and \S+a with 'init_seed: 0'"),
        ("{encoder_name: b, init_seed: 0}", r"c began with 'encoder_name: b', and \S+a with 'encoder_name: a'"),
    ],
)
def test_runs_that_began_with_other_weights_are_not_averaged(other: str, told: str, tmp_path: Path) -> None:
    runs = [write_run(tmp_path / name) for name in "abc"]  # of `b` nothing is known
    for run, recipe in ((runs[0], "{encoder_name: a, init_seed: 0, seed: 0}"), (runs[2], other)):
        (run / "recipe.yaml").write_text(recipe)
    model = load_checkpoint(runs[0]).model
    with pytest.raises(ValueError, match=told):
        load_average(model, runs, WANTED)
    (runs[2] / "recipe.yaml").write_text("{encoder_name: a, init_seed: 0, seed: 1}")
    load_average(model, runs, WANTED)


@pytest.mark.parametrize("labels", [("sexist", "racist"), ("toxic", "rude")])
def test_a_run_that_predicts_something_else_is_not_averaged(labels: tuple[str, ...], tmp_path: Path) -> None:
    runs = [write_run(tmp_path / "a"), write_run(tmp_path / "b", labels)]
    model = load_checkpoint(runs[0]).model
    told = rf"b predicts \[{', '.join(labels)}\].* \[racist, sexist\]"
    with pytest.raises(ValueError, match=told):
        load_average(model, runs, WANTED)


def test_a_start_with_other_labels_of_the_same_number_renews_the_last_layer(tmp_path: Path) -> None:
    run = write_run(tmp_path / "other", ("toxic", "rude"), seed=1)
    model = load_checkpoint(write_run(tmp_path / "own")).model
    own, old = (
        {name: w.clone() for name, w in one.state_dict().items()} for one in (model, load_checkpoint(run).model)
    )
    load_average(model, [run], WANTED, new_outputs=True)
    for name, weight in model.state_dict().items():
        assert torch.equal(weight, (own if name.startswith(model.output_weights) else old)[name]), name


def test_of_several_runs_the_one_of_another_shape_is_named(tmp_path: Path) -> None:
    runs = [write_run(tmp_path / "a"), write_run(tmp_path / "b", fusion_dim=16)]
    with pytest.raises(ValueError, match=r"b/model\.safetensors holds another model: size mismatch for "):
        load_average(load_checkpoint(runs[0]).model, runs, WANTED)


def test_weights_for_which_there_is_no_room_leave_no_draft(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from safetensors import SafetensorError

    def full(_: object, path: Path, **_other: object) -> None:
        path.write_bytes(b"half")
        raise SafetensorError("I/O error: No space left on device (os error 28)")

    monkeypatch.setattr("safetensors.torch.save_file", full)
    with pytest.raises(OutputError, match=r"Cannot write .*model\.safetensors.*No space left"):
        write_run(tmp_path / "run")
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["config.json"]


def test_what_transformers_saved_of_an_exported_folder_is_read(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run")
    own = load_file(run / "model.safetensors")
    saved = tmp_path / "saved"
    saved.mkdir()
    for name in ("config.json", "inference_config.json"):
        shutil.copyfile(run / name, saved / name)
    save_file({f"model.{name}": weight for name, weight in own.items()}, saved / "model.safetensors")
    assert all(weight.equal(own[name]) for name, weight in load_checkpoint(saved).model.state_dict().items())


def test_weights_can_be_read_by_whoever_reads_the_files_beside_them(tmp_path: Path) -> None:
    run = write_run(tmp_path)
    modes = {name: (run / name).stat().st_mode for name in ("model.safetensors", "config.json")}
    assert modes["model.safetensors"] == modes["config.json"]
