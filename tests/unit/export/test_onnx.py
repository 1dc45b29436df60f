"""The graphs of a model, as files; what they compute is a contract test's."""

from __future__ import annotations

import logging
import warnings
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="graphs are made with crossguard[train]")
onnx = pytest.importorskip("onnx", reason="graphs are made with crossguard[train]")

import torch  # noqa: E402

from crossguard.export.onnx import OPSET, _fusion, _image, _text, _write, export_graphs, silenced  # noqa: E402
from crossguard.models.building import tiny  # noqa: E402
from crossguard.models.config import ModelConfig  # noqa: E402
from crossguard.models.gated import GatedModel  # noqa: E402
from crossguard.preprocessing.image import ImageSpec  # noqa: E402
from crossguard.preprocessing.text import TextSpec  # noqa: E402

IMAGE = ImageSpec(size=32)


def model_of(backend: str = "compact") -> GatedModel:
    torch.manual_seed(0)
    return tiny(ModelConfig(backend, num_outputs=3, fusion_dim=8)).eval()


def test_a_text_has_a_mask_where_the_encoder_reads_one_and_any_length_where_it_may() -> None:
    compact = _text(model_of(), TextSpec(max_length=32))
    assert (list(compact.inputs), [sorted(axes) for axes in compact.dynamic]) == (
        ["input_ids", "attention_mask"],
        [[0, 1], [0, 1]],
    )
    siglip = _text(model_of("siglip"), TextSpec(max_length=64, padding="max_length"))
    assert (list(siglip.inputs), [sorted(axes) for axes in siglip.dynamic]) == (["input_ids"], [[0]])
    assert siglip.inputs["input_ids"].shape == (2, 64)


def test_an_image_comes_as_bytes_and_leaves_as_features() -> None:
    graph = _image(model_of(), IMAGE)
    assert graph.inputs["pixels"].dtype == torch.uint8
    with torch.no_grad():
        assert graph.module(graph.inputs["pixels"]).shape == (2, 48)


def test_a_graph_is_written_with_its_names_and_nothing_of_this_machine(tmp_path: Path) -> None:
    path = tmp_path / "fusion.onnx"
    _write(_fusion(model_of()), path, "fp32")
    made = onnx.load(path)
    assert [entry.name for entry in made.graph.input] == ["text_features", "image_features", "has_text", "has_image"]
    assert [entry.name for entry in made.graph.output] == ["logits", "text_weight"]
    assert made.opset_import[0].version == OPSET
    rows = [entry.type.tensor_type.shape.dim[0] for entry in (*made.graph.input, *made.graph.output)]
    assert all(row.dim_param for row in rows), "any number of posts"
    assert b"site-packages" not in path.read_bytes()
    assert str(Path(__file__).parents[3]).encode() not in path.read_bytes()


def test_the_model_stays_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = model_of().train()
    before = {name: weight.clone() for name, weight in model.state_dict().items()}
    asked: list[tuple[str, str]] = []
    monkeypatch.setattr("crossguard.export.onnx._write", lambda _, path, dtype: asked.append((path.name, dtype)))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        paths = export_graphs(model, tmp_path / "new", TextSpec(max_length=32), IMAGE, {"image": "fp16"})
    assert asked == [("text.onnx", "fp32"), ("image.onnx", "fp16"), ("fusion.onnx", "fp32")]
    assert {name: path.name for name, path in paths.items()} == {name: f"{name}.onnx" for name in paths}
    assert model.training
    assert all(torch.equal(weight, before[name]) for name, weight in model.state_dict().items())


def test_warnings_are_kept_back_and_errors_are_not(caplog: pytest.LogCaptureFixture) -> None:
    logger = logging.getLogger("tests.talkative")
    logger.setLevel(logging.INFO)
    with silenced("tests.talkative"):
        logger.warning("every layer")
        logger.error("broken")
    logger.info("after")
    assert [record.getMessage() for record in caplog.records] == ["broken", "after"]


def test_the_level_comes_back_after_an_error() -> None:
    logger = logging.getLogger("tests.talkative")
    logger.setLevel(logging.DEBUG)
    with pytest.raises(ZeroDivisionError), silenced("tests.talkative"):
        raise ZeroDivisionError
    assert logger.level == logging.DEBUG
