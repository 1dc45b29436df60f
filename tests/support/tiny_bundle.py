"""Writes a tiny bundle with hand-made graphs: deterministic, no training, no torch, a few kilobytes.

Text feature: normalised mean of a fixed random embedding. Image feature: mean colour of four quadrants. Both are
normalised and go through a gate and a linear layer, so that every path of the real models has its like here.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers

from crossguard.bundle import Bundle, write_manifest
from crossguard.labels import HATE

VOCABULARY = 512
TEXT_WIDTH = 16
IMAGE_WIDTH = 12
OUTPUTS = 10
SIZE = 32
WORDS = ("hello", "good", "morning", "you", "are", "all", "awful", "people", "i", "love", "hate", "my", "friends")


def write_tiny_bundle(folder: Path, name: str = "tiny") -> Bundle:
    """Writes the bundle into a folder and opens it."""
    folder.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(7)
    _save(folder / "text.onnx", *_text_graph(random))
    _save(folder / "image.onnx", *_image_graph())
    _save(folder / "fusion.onnx", *_fusion_graph(random))
    tokenizer().save(str(folder / "tokenizer.json"))
    (folder / "README.md").write_text("# tiny\n\nA toy for tests.\n", encoding="utf-8")
    return write_manifest(folder, manifest(name))


def manifest(name: str = "tiny") -> dict[str, Any]:
    """The manifest of the tiny bundle, without checksums."""
    labels = {label: {"threshold": 0.5, "review": 0.4, "block": 0.9} for label in HATE.names}
    return {
        "model": {
            "name": name,
            "version": "1.0.0",
            "backend": "compact",
            "head": "fusion",
            "text_width": TEXT_WIDTH,
            "image_width": IMAGE_WIDTH,
        },
        "labels": [{"name": label.name, "meaning": label.meaning, "prior": label.prior} for label in HATE],
        "text": {"max_length": 32, "pad_id": 0, "normalization": "social", "image_text": "append"},
        "image": {"size": SIZE, "resize": "squash", "interpolation": "bilinear", "frames": 4},
        "label_schemes": {"any": list(range(5)), "consensus": list(range(5, 10))},
        "policies": {
            "default": {"name": "default", "version": "1", "label_scheme": "consensus", "labels": labels},
            "benchmark": {"name": "benchmark", "version": "1", "label_scheme": "any", "labels": labels},
        },
        "provenance": {"data": "none"},
    }


def tokenizer() -> Tokenizer:
    vocabulary = {"[PAD]": 0, "[UNK]": 1} | {word: index + 2 for index, word in enumerate(WORDS)}
    letters = "abcdefghijklmnopqrstuvwxyz0123456789"
    vocabulary |= {letter: len(vocabulary) + index for index, letter in enumerate(letters)}
    vocabulary |= {f"##{letter}": len(vocabulary) + index for index, letter in enumerate(letters)}
    made = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))  # noqa: S106 - not a password
    made.normalizer = normalizers.Lowercase()
    made.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    return made


def _text_graph(random: np.random.Generator) -> tuple[list[Any], list[Any], list[Any], list[Any]]:
    table = random.normal(size=(VOCABULARY, TEXT_WIDTH)).astype(np.float32)
    nodes = [
        helper.make_node("Gather", ["table", "input_ids"], ["embedded"]),
        helper.make_node("Cast", ["attention_mask"], ["mask"], to=TensorProto.FLOAT),
        helper.make_node("Unsqueeze", ["mask", "last"], ["weights"]),
        helper.make_node("Mul", ["embedded", "weights"], ["kept"]),
        helper.make_node("ReduceSum", ["kept", "length"], ["summed"], keepdims=0),
        helper.make_node("LpNormalization", ["summed"], ["text_features"], axis=1, p=2),
    ]
    inputs = [_value("input_ids", TensorProto.INT64, "n", "l"), _value("attention_mask", TensorProto.INT64, "n", "l")]
    constants = [_constant("table", table), _constant("last", [-1]), _constant("length", [1])]
    return nodes, inputs, [_value("text_features", TensorProto.FLOAT, "n", TEXT_WIDTH)], constants


def _image_graph() -> tuple[list[Any], list[Any], list[Any], list[Any]]:
    half = SIZE // 2
    nodes = [
        helper.make_node("Cast", ["pixels"], ["floats"], to=TensorProto.FLOAT),
        helper.make_node("Div", ["floats", "scale"], ["unit"]),
        helper.make_node("Transpose", ["unit"], ["channels_first"], perm=[0, 3, 1, 2]),
        helper.make_node("AveragePool", ["channels_first"], ["pooled"], kernel_shape=[half] * 2, strides=[half] * 2),
        helper.make_node("Flatten", ["pooled"], ["flat"], axis=1),
        helper.make_node("LpNormalization", ["flat"], ["image_features"], axis=1, p=2),
    ]
    inputs = [_value("pixels", TensorProto.UINT8, "n", SIZE, SIZE, 3)]
    outputs = [_value("image_features", TensorProto.FLOAT, "n", IMAGE_WIDTH)]
    return nodes, inputs, outputs, [_constant("scale", np.float32(255.0))]


def _fusion_graph(random: np.random.Generator) -> tuple[list[Any], list[Any], list[Any], list[Any]]:
    text = random.normal(size=(TEXT_WIDTH, OUTPUTS)).astype(np.float32) * 2
    image = random.normal(size=(IMAGE_WIDTH, OUTPUTS)).astype(np.float32) * 2
    nodes = [
        helper.make_node("MatMul", ["text_features", "text"], ["from_text"]),
        helper.make_node("MatMul", ["image_features", "image"], ["from_image"]),
        helper.make_node("Add", ["from_text", "from_image"], ["logits"]),
        helper.make_node("Add", ["has_text", "has_image"], ["present"]),
        helper.make_node("Div", ["has_text", "present"], ["text_weight"]),
    ]
    inputs = [
        _value("text_features", TensorProto.FLOAT, "n", TEXT_WIDTH),
        _value("image_features", TensorProto.FLOAT, "n", IMAGE_WIDTH),
        _value("has_text", TensorProto.FLOAT, "n"),
        _value("has_image", TensorProto.FLOAT, "n"),
    ]
    outputs = [_value("logits", TensorProto.FLOAT, "n", OUTPUTS), _value("text_weight", TensorProto.FLOAT, "n")]
    return nodes, inputs, outputs, [_constant("text", text), _constant("image", image)]


def _save(path: Path, nodes: list[Any], inputs: list[Any], outputs: list[Any], constants: list[Any]) -> None:
    graph = helper.make_graph(nodes, path.stem, inputs, outputs, constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=10)
    onnx.checker.check_model(model)
    onnx.save(model, path)


def _value(name: str, kind: int, *shape: str | int) -> Any:
    return helper.make_tensor_value_info(name, kind, shape)


def _constant(name: str, value: Any) -> Any:
    return numpy_helper.from_array(np.asarray(value), name)
