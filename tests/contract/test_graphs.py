"""Every backbone and head gives the same logits through its graphs as through PyTorch."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch", reason="graphs are made with crossguard[train]")
onnxruntime = pytest.importorskip("onnxruntime", reason="the graphs run on onnxruntime here")

import onnx  # noqa: E402
import torch  # noqa: E402

from crossguard.export.onnx import export_graphs  # noqa: E402
from crossguard.export.quantize import quantize_graph  # noqa: E402
from crossguard.export.weight_dtype import WeightDtype, store  # noqa: E402
from crossguard.models.building import tiny  # noqa: E402
from crossguard.models.config import ModelConfig  # noqa: E402
from crossguard.models.gated import GatedModel  # noqa: E402
from crossguard.models.pixels import PixelNormalizer  # noqa: E402
from crossguard.preprocessing.image import ImageSpec  # noqa: E402
from crossguard.preprocessing.text import TextSpec  # noqa: E402
from crossguard.runtimes.packing import OWNERS, SHAPES, Shape, packed  # noqa: E402
from crossguard.runtimes.rewriting import read_model  # noqa: E402
from crossguard.runtimes.tuning import ENCODERS  # noqa: E402

KINDS = [(backend, head) for backend in ("clip", "siglip", "compact") for head in ("fusion", "mtl")]
IMAGE = ImageSpec(size=32, mean=(0.48, 0.46, 0.41), std=(0.27, 0.26, 0.28))
HAS_TEXT = np.array([1, 1, 0, 1, 1, 0], dtype=np.float32)
HAS_IMAGE = np.array([1, 0, 1, 1, 1, 1], dtype=np.float32)
TOLERANCE = 1e-4


def model_of(backend: str, head: str) -> GatedModel:
    torch.manual_seed(0)
    model = tiny(ModelConfig(backend, head, num_outputs=10, fusion_dim=20, head_hidden_dim=6)).eval()
    for weight in model.parameters():  # the initial weights are so small that nothing could differ
        weight.data.add_(0.1 * torch.randn_like(weight))
    return model


def text_spec(backend: str) -> TextSpec:
    if backend == "siglip":
        return TextSpec(max_length=64, padding="max_length", attention_mask=False)
    return TextSpec(max_length=77, attention_mask=backend == "compact")


def posts(backend: str) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(3)
    length = 64 if backend == "siglip" else 11  # so that all have place in the short row
    ids = torch.randint(3, 90, (6, length), generator=generator)
    ids[:, -1] = 98
    ids[1, 5:] = 98
    mask = torch.ones_like(ids)
    mask[1, 6:] = 0
    return ids, mask, torch.randint(0, 256, (6, 32, 32, 3), generator=generator, dtype=torch.uint8)


def through_onnxruntime(paths: dict[str, Path], feed: dict[str, np.ndarray[Any, Any]]) -> np.ndarray[Any, Any]:
    options = onnxruntime.SessionOptions()
    # It fuses DequantizeLinear and MatMul into MatMulNBits, which rounds activations to 8 bits unless told otherwise.
    options.add_session_config_entry("session.qdq_matmulnbits_accuracy_level", "1")
    for name in ("text", "image", "fusion"):
        session = onnxruntime.InferenceSession(str(paths[name]), options, providers=["CPUExecutionProvider"])
        wanted = [entry.name for entry in session.get_inputs()]
        outputs = session.run(None, {key: feed[key] for key in wanted})
        feed |= dict(zip([entry.name for entry in session.get_outputs()], outputs, strict=True))
    return feed["logits"]


def through_openvino(
    paths: dict[str, Path],
    feed: dict[str, np.ndarray[Any, Any]],
    *,
    amx: bool | None = None,
    rows: Shape | None = SHAPES["rows"],
) -> np.ndarray[Any, Any]:
    import openvino

    core = openvino.Core()
    # As in the runtime: with VNNI or AMX, activations would else be rounded to 8 bits.
    settings = {"INFERENCE_PRECISION_HINT": "f32", "DYNAMIC_QUANTIZATION_GROUP_SIZE": "0"}
    for name in ("text", "image", "fusion"):
        compiled = core.compile_model(
            read_model(core, paths[name], amx=amx, rows=rows if name == "text" else None), "CPU", settings
        )
        wanted = [port.any_name for port in compiled.inputs]
        given = {key: feed[key] for key in wanted if key in feed}
        results = compiled(packed(given, rows) if rows and OWNERS in wanted else given)
        feed |= {port.any_name: results[port][: len(HAS_TEXT)] for port in compiled.outputs}
    return feed["logits"]


class Exported:
    """A model's graphs, inputs for them, and what PyTorch makes of these."""

    def __init__(self, backend: str, head: str, folder: Path) -> None:
        model = model_of(backend, head)
        ids, mask, pixels = posts(backend)
        with torch.no_grad():
            normalized = PixelNormalizer(IMAGE.mean, IMAGE.std)(pixels)
            outputs = model(ids, mask, normalized, torch.tensor(HAS_TEXT), torch.tensor(HAS_IMAGE))
        self.logits = outputs["logits"].numpy()
        self.paths = export_graphs(model, folder, text_spec(backend), IMAGE)
        self._feed = {"input_ids": ids.numpy(), "attention_mask": mask.numpy(), "pixels": pixels.numpy()}

    def feed(self) -> dict[str, np.ndarray[Any, Any]]:
        return {**self._feed, "has_text": HAS_TEXT, "has_image": HAS_IMAGE}


@pytest.fixture(scope="module", params=KINDS, ids="-".join)
def exported(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Exported:
    backend, head = request.param
    return Exported(backend, head, tmp_path_factory.mktemp("graphs"))


def test_graphs_give_the_logits_of_pytorch(exported: Exported) -> None:
    assert np.ptp(exported.logits) > 0.1
    assert np.abs(through_onnxruntime(exported.paths, exported.feed()) - exported.logits).max() < TOLERANCE
    for rows in (None, *SHAPES.values()):
        found = through_openvino(exported.paths, exported.feed(), rows=rows)
        assert np.abs(found - exported.logits).max() < TOLERANCE


@pytest.mark.parametrize("weight_dtype", ["fp16", "int8"])
def test_a_smaller_weight_dtype_is_smaller_and_close(
    exported: Exported, weight_dtype: WeightDtype, tmp_path: Path
) -> None:
    paths = {name: tmp_path / path.name for name, path in exported.paths.items()}
    for name, path in exported.paths.items():
        onnx.save_model(store(onnx.load(path), weight_dtype), str(paths[name]))
    first = through_onnxruntime(paths, exported.feed())
    second = through_openvino(paths, exported.feed())
    assert size(paths) < size(exported.paths)
    assert 0 < np.abs(first - exported.logits).max() < (0.02 if weight_dtype == "fp16" else 0.3)
    assert np.abs(first - second).max() < TOLERANCE


@pytest.mark.parametrize("backend", ["clip", "siglip", "compact"])
def test_both_runtimes_multiply_every_backend_in_8_bits(backend: str, tmp_path: Path) -> None:
    pytest.importorskip("nncf", reason="8-bit encoders are made with crossguard[quantize]")
    exact = Exported(backend, "fusion", tmp_path)
    paths = dict(exact.paths)
    for name in ENCODERS:
        wanted = [entry.name for entry in onnx.load(exact.paths[name]).graph.input]
        paths[name] = tmp_path / "int8" / f"{name}.onnx"
        paths[name].parent.mkdir(exist_ok=True)
        quantize_graph(exact.paths[name], [{key: exact.feed()[key] for key in wanted}], paths[name], backend)
    first = through_onnxruntime(paths, exact.feed())
    assert 0 < np.abs(first - exact.logits).max() < 0.3 * np.ptp(exact.logits)
    for amx, rows in itertools.product((False, True), (None, *SHAPES.values())):
        second = through_openvino(paths, exact.feed(), amx=amx, rows=rows)
        assert np.abs(first - second).max() < 0.1 * np.ptp(exact.logits)


def size(paths: dict[str, Path]) -> int:
    return sum(path.stat().st_size for path in paths.values())
