"""A compiled graph is kept, and used only where it is whole and nobody else could have written it."""

from __future__ import annotations

import hashlib
import json
import shutil
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import openvino as ov
import pytest
from tests.support.openvino_graphs import before_compiling

from crossguard.bundle import Bundle
from crossguard.errors import BundleError
from crossguard.moderator import Moderator
from crossguard.runtimes import blobs
from crossguard.runtimes.blobs import HEADER, KEPT, Blob, cache_key
from crossguard.runtimes.fallbacks import lacks_kernels
from crossguard.runtimes.openvino import OpenVINORuntime
from crossguard.runtimes.rewriting import read_model


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CROSSGUARD_CACHE", str(tmp_path))
    return tmp_path / "compiled"


@pytest.fixture
def compiled(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Grows with each graph that is compiled."""
    lacks_kernels()  # the first time, it compiles what it tries
    graphs: list[Any] = []
    before_compiling(monkeypatch, lambda graph, _: graphs.append(graph))
    return graphs


def scores(bundle: Bundle) -> dict[str, float]:
    image = np.full((32, 32, 3), 90, np.uint8)
    return Moderator.load(bundle.folder, runtime="openvino").score(text="hello", image=image).scores


def test_the_second_start_compiles_nothing_and_scores_the_same(tiny_bundle: Bundle, compiled: list[Any]) -> None:
    first = scores(tiny_bundle)
    assert len(compiled) == 3
    assert scores(tiny_bundle) == first
    assert len(compiled) == 3
    alone = Moderator.load(tiny_bundle.folder, runtime="openvino", threads=1, one_by_one=True)
    assert alone.score(text="hello").scores == Moderator.load(tiny_bundle.folder).score(text="hello").scores
    assert len(compiled) == 3, "how many streams there are does not matter"


def test_a_compiled_graph_belongs_to_settings_and_threads_of_a_stream() -> None:
    two = {"NUM_STREAMS": 2, "INFERENCE_NUM_THREADS": 2, "INFERENCE_PRECISION_HINT": "f32"}
    place = Blob.of("a", "text", two)
    assert Blob.of("a", "text", two | {"NUM_STREAMS": 1, "INFERENCE_NUM_THREADS": 1}) == place
    assert Blob.of("a", "text", two | {"NUM_STREAMS": 1}) != place
    assert Blob.of("a", "text", two | {"INFERENCE_PRECISION_HINT": "bf16"}) != place
    assert Blob.of("b", "text", two) != place


def test_of_a_graph_that_is_never_run_its_inputs_are_kept(
    tiny_bundle: Bundle, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[str] = []

    def noted(core: Any, path: Path, **how: Any) -> Any:
        read.append(path.stem)
        return read_model(core, path, **how)

    monkeypatch.setattr("crossguard.runtimes.openvino.read_model", noted)
    for _ in range(3):
        Moderator.load(tiny_bundle.folder, runtime="openvino").score(text="hello")
    assert sorted(read) == ["fusion", "image", "text", "text"]  # the text graph once to see that it cannot be packed
    assert sorted(path.stat().st_size > HEADER for path in folder.iterdir()) == [False, False, True, True]
    Moderator.load(tiny_bundle.folder, runtime="openvino").score(image=np.zeros((32, 32, 3), np.uint8))
    assert sorted(path.stat().st_size > HEADER for path in folder.iterdir()) == [False, True, True, True]


def test_a_graph_that_was_replaced_is_neither_run_nor_kept_as_the_one_that_was_checked(
    tiny_bundle: Bundle, folder: Path, tmp_path: Path
) -> None:
    home = shutil.copytree(tiny_bundle.folder, tmp_path / "bundle")
    for _ in range(2):  # the first time, graphs are read for the names of their inputs
        moderator = Moderator.load(home, runtime="openvino")
    shutil.copyfile(home / "text.onnx", tmp_path / "another.onnx").replace(home / "text.onnx")
    with pytest.raises(BundleError, match=r"text\.onnx was replaced or removed .* Load the model again"):
        moderator.score(text="hello")
    assert not any(path.stat().st_size > HEADER for path in folder.iterdir())


def test_nothing_is_kept_of_files_that_were_not_verified(tiny_bundle: Bundle, folder: Path) -> None:
    Moderator.load(tiny_bundle.folder, runtime="openvino", verify=False).score(text="hello")
    OpenVINORuntime(tiny_bundle.graphs)
    assert not folder.exists()


def forged(content: bytes) -> bytes:
    """A cut graph under a header that fits it."""
    cut = content[HEADER : HEADER + 100]
    head = json.loads(content[:HEADER]) | {"sha256": hashlib.sha256(cut).hexdigest()}
    return json.dumps(head).encode().ljust(HEADER) + cut


@pytest.mark.parametrize(
    "change",
    [
        lambda _: b"",
        lambda _: b"rubbish",
        lambda _: b"[" * 100_000,
        lambda _: b'{"inputs": 7, "sha256": null}\n',
        lambda content: content[:HEADER],
        lambda content: content[: HEADER - 1],
        lambda content: content[:HEADER] + bytes(HEADER),
        lambda content: content[:-1],
        lambda content: content[:-1] + bytes([content[-1] ^ 1]),
        forged,
    ],
)
def test_a_broken_one_is_compiled_anew(
    tiny_bundle: Bundle, compiled: list[Any], folder: Path, change: Callable[[bytes], bytes]
) -> None:
    first = scores(tiny_bundle)
    for file in folder.iterdir():
        file.write_bytes(change(file.read_bytes()))
    assert scores(tiny_bundle) == first
    assert len(compiled) == 6
    assert scores(tiny_bundle) == first
    assert len(compiled) == 6, "and kept again"


@pytest.mark.parametrize("mode", [0o666, 0o664])
def test_one_that_others_could_have_written_is_not_used(
    tiny_bundle: Bundle, compiled: list[Any], folder: Path, mode: int
) -> None:
    scores(tiny_bundle)
    for file in folder.iterdir():
        file.chmod(mode)
    scores(tiny_bundle)
    assert len(compiled) == 6
    folder.chmod(0o777)
    scores(tiny_bundle)
    assert len(compiled) == 9


def test_a_cache_that_cannot_be_written_does_not_matter(tiny_bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CROSSGUARD_CACHE", "/proc/nowhere")
    assert scores(tiny_bundle) == scores(tiny_bundle)


def test_few_are_kept(tiny_bundle: Bundle, folder: Path) -> None:
    fusion = ov.Core().compile_model(tiny_bundle.graphs["fusion"], "CPU", {})
    for number in range(KEPT + 3):
        Blob.of(str(number), "fusion", {}).save(fusion, ("a",))
    assert len(list(folder.iterdir())) == KEPT
    assert Blob.of(str(KEPT + 2), "fusion", {}).inputs() == ("a",)


def test_one_is_mapped_and_not_read_into_memory(tiny_bundle: Bundle, folder: Path) -> None:
    scores(tiny_bundle)
    place = max(folder.glob("*.blob"), key=lambda path: path.stat().st_size)
    tracemalloc.start()
    try:
        assert Blob(place)._read(whole=True)
        assert tracemalloc.get_traced_memory()[1] < place.stat().st_size / 2
    finally:
        tracemalloc.stop()


def test_one_that_is_too_large_is_not_read(tiny_bundle: Bundle, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scores(tiny_bundle)
    monkeypatch.setattr(blobs, "LARGEST", 10)
    assert not any(Blob(place).kept for place in folder.glob("*.blob"))


def test_a_key_is_that_of_what_is_told_and_of_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    key = cache_key("bundle", "text")
    assert len(key) == 64
    assert cache_key("bundle", "text") == key
    assert len({key, cache_key("bundle", "image"), cache_key("text", "bundle")}) == 3
    for name, value in {
        "processor_name": lambda: "another",
        "vector_units": lambda: ("avx9",),
        "EDITION": 99,
        "SHAPES": {"rows": (9, 99)},
        "__version__": "99",
    }.items():
        with monkeypatch.context() as patch:
            patch.setattr(blobs, name, value)
            assert cache_key("bundle", "text") != key
