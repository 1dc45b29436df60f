"""Three ONNX graphs of a model: text, image, fusion (see "The bundle" in ARCHITECTURE.md for their inputs)."""

from __future__ import annotations

import copy
import logging
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import torch
from torch import Tensor, nn

from crossguard.export.weight_dtype import WeightDtype, store
from crossguard.models.efficientnet_lite import fold_batch_norms
from crossguard.models.gated import GatedModel
from crossguard.models.pixels import PixelNormalizer
from crossguard.preprocessing.image import ImageSpec
from crossguard.preprocessing.text import TextSpec

OPSET: Final = 20
DYNAMIC: Final = torch.export.Dim.DYNAMIC
# Two of everything: the exporter would take a size of one for a constant.
ROWS: Final = 2
TOKENS: Final = 9


@dataclass(frozen=True)
class _Graph:
    module: nn.Module
    inputs: dict[str, Tensor]
    dynamic: tuple[dict[int, Any], ...]
    outputs: tuple[str, ...]


def export_graphs(
    model: GatedModel,
    folder: Path,
    text: TextSpec,
    image: ImageSpec,
    weight_dtypes: Mapping[str, WeightDtype] | None = None,
) -> dict[str, Path]:
    """Writes `text.onnx`, `image.onnx` and `fusion.onnx`."""
    frozen = copy.deepcopy(model).eval().float().cpu()
    fold_batch_norms(frozen)
    graphs = {"text": _text(frozen, text), "image": _image(frozen, image), "fusion": _fusion(frozen)}
    folder.mkdir(parents=True, exist_ok=True)
    paths = {}
    for name, graph in graphs.items():
        paths[name] = folder / f"{name}.onnx"
        _write(graph, paths[name], (weight_dtypes or {}).get(name, "fp32"))
    return paths


def write_text_graph(model: GatedModel, path: Path, text: TextSpec) -> None:
    """Writes the graph of the text encoder alone, in float32."""
    _write(_text(copy.deepcopy(model).eval().float().cpu(), text), path, "fp32")


def _text(model: GatedModel, spec: TextSpec) -> _Graph:
    length = TOKENS if model.architecture.trims_padding else spec.max_length
    ids = torch.full((ROWS, length), 1)
    axes = {0: DYNAMIC, 1: DYNAMIC} if model.architecture.trims_padding else {0: DYNAMIC}
    inputs = {"input_ids": ids}
    if model.architecture.reads_attention_mask:
        inputs["attention_mask"] = torch.ones_like(ids)
    return _Graph(_TextGraph(model), inputs, (axes,) * len(inputs), ("text_features",))


def _image(model: GatedModel, spec: ImageSpec) -> _Graph:
    pixels = torch.zeros(ROWS, spec.size, spec.size, 3, dtype=torch.uint8)
    normalizer = PixelNormalizer(spec.mean, spec.std)
    return _Graph(_ImageGraph(model, normalizer), {"pixels": pixels}, ({0: DYNAMIC},), ("image_features",))


def _fusion(model: GatedModel) -> _Graph:
    inputs = {
        "text_features": torch.ones(ROWS, model.widths.text),
        "image_features": torch.ones(ROWS, model.widths.image),
        "has_text": torch.ones(ROWS),
        "has_image": torch.ones(ROWS),
    }
    return _Graph(_FusionGraph(model), inputs, ({0: DYNAMIC},) * len(inputs), ("logits", "text_weight"))


class _TextGraph(nn.Module):
    def __init__(self, model: GatedModel) -> None:
        super().__init__()
        self.model = model

    def forward(self, input_ids: Tensor, attention_mask: Tensor | None = None) -> Tensor:
        return self.model.text_features(input_ids, attention_mask)


class _ImageGraph(nn.Module):
    def __init__(self, model: GatedModel, normalizer: PixelNormalizer) -> None:
        super().__init__()
        self.model = model
        self.normalizer = normalizer

    def forward(self, pixels: Tensor) -> Tensor:
        return self.model.image_features(self.normalizer(pixels))


class _FusionGraph(nn.Module):
    def __init__(self, model: GatedModel) -> None:
        super().__init__()
        self.model = model

    def forward(
        self, text_features: Tensor, image_features: Tensor, has_text: Tensor, has_image: Tensor
    ) -> tuple[Tensor, Tensor]:
        return self.model.fuse(text_features, image_features, has_text, has_image)


def _write(graph: _Graph, path: Path, weight_dtype: WeightDtype) -> None:
    import onnx

    with silenced("torch.onnx"), warnings.catch_warnings(), torch.no_grad():
        # It talks of operators that are not installed and not used.
        warnings.simplefilter("ignore")
        program = torch.onnx.export(
            graph.module,
            tuple(graph.inputs.values()),
            input_names=list(graph.inputs),
            output_names=list(graph.outputs),
            dynamic_shapes=graph.dynamic,
            opset_version=OPSET,
            dynamo=True,
            verbose=False,
        )
    assert program is not None
    stored = store(program.model_proto, weight_dtype)
    _forget_origins(stored.graph.node)
    onnx.checker.check_model(stored)
    onnx.save_model(stored, str(path))


@contextmanager
def silenced(library: str) -> Iterator[None]:
    """Lets a library log errors only, and not every layer."""
    logger = logging.getLogger(library)
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)


def _forget_origins(nodes: Sequence[Any]) -> None:
    """Drops the exporter's notes on each node: stack traces with paths of this machine, larger than the graph."""
    for node in nodes:
        del node.metadata_props[:]
        node.doc_string = ""
