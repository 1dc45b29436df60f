"""OpenVINO compiles a graph when its first job comes, and not before."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from crossguard.bundle import Bundle
from crossguard.errors import BundleError
from crossguard.runtimes.base import Job
from crossguard.runtimes.openvino import OpenVINORuntime


def test_a_graph_without_jobs_is_never_read(tiny_bundle: Bundle, tmp_path: Path) -> None:
    folder = shutil.copytree(tiny_bundle.folder, tmp_path / "bundle")
    graphs = {name: folder / path.name for name, path in tiny_bundle.graphs.items()}
    graphs["image"].write_bytes(b"no graph")
    runtime = OpenVINORuntime(graphs)
    ids = np.ones((1, 3), dtype=np.int64)
    text = runtime.infer([Job("text", {"input_ids": ids, "attention_mask": ids})])[0]
    assert text["text_features"].shape == (1, 16)
    size = tiny_bundle.manifest.image.size
    with pytest.raises(BundleError, match=r"OpenVINO cannot read .*image\.onnx"):
        runtime.infer([Job("image", {"pixels": np.zeros((1, size, size, 3), dtype=np.uint8)})])
