"""What holds for every backbone and head."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch", reason="the networks need crossguard[train]")

import torch

from crossguard.models.building import tiny
from crossguard.models.config import ModelConfig
from crossguard.models.gated import GatedModel

KINDS = [(backend, head) for backend in ("clip", "siglip", "compact") for head in ("fusion", "mtl")]


def model_of(backend: str, head: str, num_outputs: int = 5, **settings: Any) -> GatedModel:
    torch.manual_seed(0)
    return tiny(ModelConfig(backend, head, num_outputs, fusion_dim=20, **settings)).eval()


def inputs_of(model: GatedModel, n: int = 4) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    length = 64 if model.config.backend == "siglip" else 9
    ids = torch.randint(3, 90, (n, length), generator=generator)
    ids[:, -1] = 98
    return {
        "input_ids": ids,
        "attention_mask": torch.ones_like(ids),
        "pixel_values": torch.randn(n, 3, 32, 32, generator=generator),
    }


@pytest.mark.parametrize(("backend", "head"), KINDS)
def test_an_absent_modality_has_no_say(backend: str, head: str) -> None:
    model = model_of(backend, head)
    inputs = inputs_of(model)
    flags = {"text_present": torch.tensor([1, 1, 0, 1]), "image_present": torch.tensor([1, 0, 1, 1])}
    changed = {name: value.clone() for name, value in inputs.items()}
    changed["pixel_values"][1] = 7.0
    changed["input_ids"][2, :-1] = 5
    with torch.no_grad():
        first, second = model(**inputs, **flags), model(**changed, **flags)
    assert torch.equal(first["logits"], second["logits"])
    assert first["text_weight"][1] == 1
    assert first["text_weight"][2] == 0
    assert 0 < first["text_weight"][0] < 1


@pytest.mark.parametrize(("backend", "head"), KINDS)
def test_an_absent_tower_is_not_run(backend: str, head: str, monkeypatch: pytest.MonkeyPatch) -> None:
    model = model_of(backend, head)
    inputs = inputs_of(model)
    with torch.no_grad():
        flagged = model(**inputs, image_present=torch.zeros(4))["logits"]
    monkeypatch.setattr(model, "image_features", None)
    with torch.no_grad():
        alone = model(inputs["input_ids"], inputs["attention_mask"])
    assert torch.equal(alone["logits"], flagged)


@pytest.mark.parametrize(("backend", "head"), KINDS)
def test_outputs_may_outnumber_labels(backend: str, head: str) -> None:
    model = model_of(backend, head, num_outputs=10)
    with torch.no_grad():
        assert model(**inputs_of(model))["logits"].shape == (4, 10)


def test_nothing_to_score_is_an_error() -> None:
    with pytest.raises(ValueError, match="input_ids"):
        model_of("compact", "fusion")()


@pytest.mark.parametrize(("backend", "head"), KINDS)
def test_a_saved_model_loads_again_with_its_head(backend: str, head: str, tmp_path: Path) -> None:
    import json

    from crossguard.models.loading import load_checkpoint, save_model

    options = {"head_hidden_dim": 6, "learnable_task_weights": True} if head == "mtl" else {}
    model = model_of(backend, head, **options)
    save_model(model, tmp_path / "checkpoint-3")
    (tmp_path / "checkpoint-3" / "config.json").rename(tmp_path / "config.json")
    names = ["racist", "sexist", "homophobe", "religion", "otherhate"]
    (tmp_path / "inference_config.json").write_text(json.dumps({"class_names": names, "encoder_name": "gone"}))
    loaded = load_checkpoint(tmp_path).model
    inputs = inputs_of(model)
    with torch.no_grad():
        assert torch.equal(loaded(**inputs)["logits"], model(**inputs)["logits"])


@pytest.mark.parametrize(("backend", "head"), KINDS)
def test_a_start_with_other_labels_keeps_all_but_the_last_layer(backend: str, head: str, tmp_path: Path) -> None:
    import json

    from crossguard.models.loading import Outputs, load_average, save_model

    torch.manual_seed(0)
    old = tiny(ModelConfig(backend, head, num_outputs=5, fusion_dim=16))
    save_model(old, tmp_path)
    (tmp_path / "inference_config.json").write_text(json.dumps({"class_names": list("abcde")}))
    wanted = Outputs.of({"class_names": ["a", "b"]})
    new = tiny(ModelConfig(backend, head, num_outputs=2, fusion_dim=16))
    fresh = {name: value.clone() for name, value in new.state_dict().items()}
    with pytest.raises(ValueError, match=r"predicts \[a, b, c, d, e\]"):
        load_average(tiny(new.config), [tmp_path], wanted)
    load_average(new, [tmp_path], wanted, new_outputs=True)
    for name, value in new.state_dict().items():
        expected = fresh if name.startswith(new.output_weights) else old.state_dict()
        assert torch.equal(value, expected[name]), name


@pytest.mark.parametrize("head", ["fusion", "mtl"])
@pytest.mark.parametrize(
    ("backend", "image_size", "positions"), [("clip", 32, 77), ("siglip", 32, 64), ("compact", None, 128)]
)
def test_a_model_knows_what_it_takes(backend: str, head: str, image_size: int | None, positions: int) -> None:
    model = tiny(ModelConfig(backend, head, fusion_dim=8))
    assert (model.image_size, model.text_positions) == (image_size, positions)
    assert model.misfits(image_size or 32, positions, 98) == []
    assert model.misfits(image_size or 32, positions, 99) == [
        "the encoder knows 99 token ids, and its tokenizer gives 99"
    ]
