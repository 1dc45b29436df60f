"""OpenVINO compiles a graph when its first job comes, and not before."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import openvino as ov
import pytest
from tests.support.openvino_graphs import before_compiling

from crossguard.bundle import Bundle
from crossguard.errors import BundleError
from crossguard.moderator import Moderator
from crossguard.runtimes.base import LARGE_IMAGES_PER_JOB, Job
from crossguard.runtimes.fallbacks import lacks_kernels
from crossguard.runtimes.openvino import OpenVINORuntime


def test_a_graph_without_jobs_is_never_compiled(tiny_bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    lacks_kernels()  # compiles a layer of its own, once in a process
    compiled: list[Any] = []
    before_compiling(monkeypatch, lambda graph, _: compiled.append(graph))
    runtime = OpenVINORuntime(tiny_bundle.graphs)
    assert runtime.inputs("text") == ("input_ids", "attention_mask")
    assert not compiled
    ids = np.ones((1, 3), dtype=np.int64)
    job = Job("text", {"input_ids": ids, "attention_mask": ids})
    for result in runtime.infer([job] * 8):
        assert result["text_features"].shape == (1, 16)
    assert len(compiled) == 1


def test_a_broken_graph_is_told_when_the_model_is_loaded(tiny_bundle: Bundle, tmp_path: Path) -> None:
    folder = shutil.copytree(tiny_bundle.folder, tmp_path / "bundle")
    graphs = {name: folder / path.name for name, path in tiny_bundle.graphs.items()}
    graphs["image"].write_bytes(b"no graph")
    with pytest.raises(BundleError, match=r"OpenVINO cannot read .*image\.onnx"):
        OpenVINORuntime(graphs)


def test_a_graph_without_a_bf16_kernel_is_computed_in_fp32(
    tiny_bundle: Bundle, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse_bf16(_: Any, settings: dict[str, Any]) -> None:
        if settings["INFERENCE_PRECISION_HINT"] == ov.Type.bf16:
            raise RuntimeError("No suitable implementations")

    before_compiling(monkeypatch, refuse_bf16)
    moderator = Moderator.load(tiny_bundle.folder, runtime="openvino", precision="bf16")
    assert moderator.runtime.name.endswith("(fp32)")
    found = moderator.score(text="hello")
    assert found.scores == Moderator.load(tiny_bundle.folder, runtime="openvino").score(text="hello").scores
    assert found.runtime == moderator.runtime.name
    assert "text.onnx is computed in fp32" in caplog.text


def test_a_record_tells_the_graph_that_is_computed_in_fp32(
    tiny_bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse_images(model: Any, settings: dict[str, Any]) -> None:
        bf16 = settings["INFERENCE_PRECISION_HINT"] == ov.Type.bf16
        if bf16 and any(port.get_any_name() == "pixels" for port in model.inputs):
            raise RuntimeError("No suitable implementations")

    before_compiling(monkeypatch, refuse_images)
    found = Moderator.load(tiny_bundle.folder, runtime="openvino", precision="bf16").score(text="hello")
    assert found.runtime.endswith("(text bf16, image fp32)")


def test_each_graph_has_its_own_precision(tiny_bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: dict[str, Any] = {}

    def note(model: Any, settings: dict[str, Any]) -> None:
        asked[model.inputs[0].get_any_name()] = settings["INFERENCE_PRECISION_HINT"]

    before_compiling(monkeypatch, note)
    runtime = OpenVINORuntime(tiny_bundle.graphs, {"text": "bf16"})
    assert runtime.name.endswith("(text bf16, image fp32)")
    ids = np.ones((1, 3), dtype=np.int64)
    runtime.infer([Job("text", {"input_ids": ids, "attention_mask": ids})])
    runtime.infer([Job("image", {"pixels": np.zeros((1, 32, 32, 3), np.uint8)})])
    assert asked == {"input_ids": ov.Type.bf16, "pixels": ov.Type.f32}


@pytest.mark.parametrize("one_by_one", [True, False])
def test_jobs_of_a_large_encoder_are_filled_up(
    tiny_bundle: Bundle, monkeypatch: pytest.MonkeyPatch, *, one_by_one: bool
) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (LARGE_IMAGES_PER_JOB, 32, 32, 3), dtype=np.uint8)
    jobs = [Job("image", {"pixels": pixels[:1]})]
    jobs += [Job("images", {"pixels": pixels[:count]}) for count in (3, LARGE_IMAGES_PER_JOB)]
    expected = OpenVINORuntime(tiny_bundle.graphs).infer([Job("image", {"pixels": image[None]}) for image in pixels])
    monkeypatch.setattr("crossguard.runtimes.base.LARGE_BYTES", 0)
    monkeypatch.setattr("crossguard.runtimes.openvino.has_amx", lambda: True)
    runtime = OpenVINORuntime(tiny_bundle.graphs, {"image": "fp32"}, one_by_one=one_by_one)
    assert runtime.fills
    assert runtime.inputs("images") == ("pixels",)
    for job, found in zip(jobs, runtime.infer(jobs), strict=True):
        rows = [np.asarray(entry["image_features"], np.float32)[0] for entry in expected[: len(job.feed["pixels"])]]
        np.testing.assert_allclose(np.asarray(found["image_features"], np.float32), rows, atol=1e-5)


def test_without_amx_jobs_of_a_large_encoder_have_the_images_that_there_are(
    tiny_bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("crossguard.runtimes.base.LARGE_BYTES", 0)
    monkeypatch.setattr("crossguard.runtimes.openvino.has_amx", lambda: False)
    runtime = OpenVINORuntime(tiny_bundle.graphs, {"image": "fp32"})
    assert (runtime.images_per_job, runtime.fills) == (LARGE_IMAGES_PER_JOB, False)
    (found,) = runtime.infer([Job("image", {"pixels": np.zeros((5, 32, 32, 3), np.uint8)})])
    assert len(found["image_features"]) == 5
