"""The files that transformers reads beside the weights."""

from __future__ import annotations

import ast
import importlib
from dataclasses import replace
from importlib import resources
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch", reason="exports need crossguard[train]")

from tests.support.tiny_bundle import tokenizer

from crossguard.errors import OutputError
from crossguard.export.huggingface import (
    CARD_TEMPLATE,
    CODE,
    RESAMPLE,
    WRAPPER,
    _card,
    config,
    export_huggingface,
    processor_files,
)
from crossguard.export.source import ExportSource
from crossguard.models.building import tiny
from crossguard.models.config import ModelConfig
from crossguard.preprocessing.image import ImageSpec
from crossguard.preprocessing.text import TextSpec


def source_of(folder: Path, backend: str = "clip", text: TextSpec | None = None, **image: Any) -> ExportSource:
    told = {"class_names": ["racist", "sexist"], "thresholds": [0.3, 0.75], "encoder_name": "openai/clip"}
    model = tiny(ModelConfig(backend, num_outputs=2, fusion_dim=8))
    model.config.encoder["text_config"]["_name_or_path"] = "/home/me/clip"
    return ExportSource(
        model, told, folder, text or TextSpec(max_length=64), ImageSpec(size=32, **image), tokenizer().to_str()
    )


def test_the_copied_files_need_nothing_but_each_other_torch_and_transformers() -> None:
    files = {name.removesuffix(".py") for name in CODE}
    for name in CODE:
        tree = ast.parse((resources.files("crossguard.models") / name).read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and node.level:
                assert node.module in files, f"{name} imports {node.module}"
            elif isinstance(node, ast.ImportFrom | ast.Import):
                named = node.module if isinstance(node, ast.ImportFrom) else node.names[0].name
                assert not str(named).startswith("crossguard"), name


def test_the_wrapper_names_every_copied_file_and_what_is_in_it() -> None:
    wrapper = (resources.files("crossguard") / "resources" / "huggingface" / f"{WRAPPER}.txt").read_text("utf-8")
    named = [node for node in ast.parse(wrapper).body if isinstance(node, ast.ImportFrom) and node.level]
    assert {f"{node.module}.py" for node in named} == set(CODE)
    for node in named:
        module = importlib.import_module(f"crossguard.models.{node.module}")
        assert all(hasattr(module, alias.name) for alias in node.names), node.module


def test_labels_and_thresholds_are_told_as_transformers_reads_them(tmp_path: Path) -> None:
    told = config(source_of(tmp_path))
    assert told["id2label"] == {"0": "racist", "1": "sexist"}
    assert told["label2id"] == {"racist": 0, "sexist": 1}
    assert (told["thresholds"], told["num_outputs"], told["backend"]) == ([0.3, 0.75], 2, "clip")
    assert told["auto_map"]["AutoModel"] == "modeling_crossguard.CrossguardModel"


def test_no_path_of_this_machine_is_told(tmp_path: Path) -> None:
    told = config(source_of(tmp_path))
    assert "/home/me" not in str(told)
    assert told["encoder"]["text_config"]["vocab_size"] == 99


@pytest.mark.parametrize(("padding", "length"), [("max_length", 64), ("longest", None)])
def test_a_length_that_the_encoder_was_trained_on_is_told(tmp_path: Path, padding: Any, length: int | None) -> None:
    assert config(source_of(tmp_path, text=TextSpec(max_length=64, padding=padding)))["padded_text_length"] == length


@pytest.mark.parametrize(
    ("backend", "resize", "processor"),
    [
        ("clip", "crop", "CLIPImageProcessor"),
        ("clip", "squash", "CLIPImageProcessor"),
        ("siglip", "crop", "CLIPImageProcessor"),
        ("siglip", "squash", "SiglipImageProcessor"),
    ],
)
def test_images_are_prepared_as_the_bundle_does(tmp_path: Path, backend: str, resize: str, processor: str) -> None:
    for interpolation, number in RESAMPLE.items():
        files = processor_files(source_of(tmp_path, backend, resize=resize, interpolation=interpolation))
        image = files["preprocessor_config.json"]
        assert (image["image_processor_type"], image["resample"]) == (processor, number)
        assert image["do_center_crop"] is (resize == "crop")
        assert image["size"] == ({"shortest_edge": 32} if resize == "crop" else {"height": 32, "width": 32})


def test_the_tokenizer_pads_with_its_own_token(tmp_path: Path) -> None:
    told = processor_files(source_of(tmp_path))["tokenizer_config.json"]
    assert (told["pad_token"], told["model_max_length"], told["padding_side"]) == ("[PAD]", 64, "right")


def test_a_card_by_hand_counts_more_than_the_runs_and_that_more_than_a_first_one(tmp_path: Path) -> None:
    template = resources.files("crossguard") / "resources" / "huggingface" / CARD_TEMPLATE
    run, out = tmp_path / "run", tmp_path / "my-model"
    run.mkdir()
    out.mkdir()
    source = source_of(run)
    first = _card(source, out, template)
    assert "@" not in first
    assert "my-model" in first
    assert "| sexist | 0.75 |" in first
    assert "base_model: openai/clip\n" in first
    assert f"read by the rule `{source.text.image_text}`" in first
    (run / "README.md").write_text("of the run", encoding="utf-8")
    assert _card(source, out, template) == "of the run"
    assert "| sexist | 0.75 |" in _card(replace(source, averaged=(run,)), out, template), "a mean is no run"
    (out / "README.md").write_text("by hand", encoding="utf-8")
    assert _card(source, out, template) == "by hand"


def test_a_bundle_is_not_made_one_of_other_files_than_it_lists(tmp_path: Path) -> None:
    (tmp_path / "bundle.json").touch()
    with pytest.raises(OutputError, match=r"holds a bundle \(bundle\.json\).*Choose another folder"):
        export_huggingface(tmp_path, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["bundle.json"]
