"""What is refused before anything is quantised; the graphs themselves are a contract test's."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest

pytest.importorskip("onnx", reason="graphs are read with crossguard[quantize]")

from crossguard.bundle import Bundle
from crossguard.errors import InputError, MissingExtraError
from crossguard.export.quantize import ENCODERS, TRANSFORMERS, _examples, quantize, quantize_graph
from crossguard.models.building import BACKBONES
from crossguard.records import Post


def test_without_a_usable_text_nothing_can_be_calibrated(tiny_bundle: Bundle, tmp_path: Path, red: bytes) -> None:
    with pytest.raises(InputError, match=r"None of 2 .* has a usable text.* --calibration MORE"):
        quantize(tiny_bundle, [Post("1", image=red), Post("2")], tmp_path / "copy")


def test_the_library_is_asked_for(tiny_bundle: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "nncf", None)
    with pytest.raises(MissingExtraError, match=r"crossguard\[quantize\]"):
        quantize_graph(tiny_bundle.graphs["text"], [], tmp_path / "text.onnx", "compact")


def test_no_padding_is_learnt_from(tiny_bundle: Bundle, red: bytes) -> None:
    posts = [Post("1", "hello"), Post("2", "hello you all my friends i love", image=red), Post("3", image=b"broken")]
    jobs = _examples(tiny_bundle, posts)
    texts = [job.feed for job in jobs if job.graph == "text"]
    assert [int(feed["attention_mask"].sum()) for feed in texts] == [1, 7]
    assert [len(job.feed["pixels"]) for job in jobs if job.graph == "image"] == [1]


def test_an_earlier_manifest_is_not_taken_along(
    tiny_bundle: Bundle, tmp_path: Path, red: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[str, int, str]] = []

    def copied(source: Path, feeds: list[object], target: Path, backend: str) -> None:
        asked.append((source.stem, len(feeds), backend))
        shutil.copyfile(source, target)

    monkeypatch.setattr("crossguard.export.quantize.quantize_graph", copied)
    made = quantize(tiny_bundle, [Post("1", "hello", image=red)], tmp_path / "copy")
    assert asked == [("text", 1, "compact"), ("image", 1, "compact")]
    assert made.folder == tmp_path / "copy"
    assert made.manifest.precisions == ("fp32",)
    assert made.provenance() | {"precision": "int8", "calibration_posts": 1} == made.provenance()


def test_every_backbone_says_which_of_its_encoders_are_transformers() -> None:
    assert set(TRANSFORMERS) == set(BACKBONES)
    assert all(set(graphs) <= set(ENCODERS) for graphs in TRANSFORMERS.values())
