"""ONNX Runtime as a runtime."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("onnxruntime", reason="the runtime is the extra crossguard[onnx]")

from crossguard.bundle import Bundle
from crossguard.errors import BundleError, MissingExtraError
from crossguard.runtimes.base import IMAGES_PER_JOB, Job
from crossguard.runtimes.onnx import ONNXRuntime


@pytest.fixture(scope="module")
def runtime(tiny_bundle: Bundle) -> ONNXRuntime:
    return ONNXRuntime(tiny_bundle.graphs, threads=1)


def test_it_says_what_each_graph_takes(runtime: ONNXRuntime) -> None:
    assert runtime.inputs("text") == ("input_ids", "attention_mask")
    assert runtime.inputs("image") == ("pixels",)
    assert runtime.name.endswith("(fp32)")
    assert runtime.images_per_job == IMAGES_PER_JOB


def test_jobs_are_answered_in_their_order(runtime: ONNXRuntime) -> None:
    texts = [np.full((1, length), 3, dtype=np.int64) for length in (2, 5)]
    jobs = [Job("text", {"input_ids": ids, "attention_mask": np.ones_like(ids)}) for ids in texts]
    jobs.insert(1, Job("image", {"pixels": np.full((3, 32, 32, 3), 200, dtype=np.uint8)}))
    first, image, second = runtime.infer(jobs)
    assert image["image_features"].shape == (3, 12)
    assert first["text_features"] == pytest.approx(second["text_features"], abs=1e-6)
    assert runtime.infer([]) == []


def test_it_takes_no_more_cores_than_this_process_may(tiny_bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    """By itself, ONNX Runtime counts those of the machine, whatever a container or `taskset` allows."""
    monkeypatch.setattr("crossguard.runtimes.onnx.available_cores", lambda: 1)
    session = ONNXRuntime(tiny_bundle.graphs)._sessions["text"]
    assert session.get_session_options().intra_op_num_threads == 1


def test_a_broken_graph_is_named(tiny_bundle: Bundle, tmp_path: Path) -> None:
    broken = tmp_path / "image.onnx"
    broken.write_bytes(b"broken")
    with pytest.raises(BundleError, match=r"cannot read .*image\.onnx"):
        ONNXRuntime({**tiny_bundle.graphs, "image": broken})


def test_the_library_is_asked_for(tiny_bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(MissingExtraError, match=r"crossguard\[onnx\]"):
        ONNXRuntime(tiny_bundle.graphs)
