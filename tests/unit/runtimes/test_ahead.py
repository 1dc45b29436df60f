"""Graphs that are kept of a bundle are loaded by the digest that its manifest tells, and used for that bundle only."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import crossguard
from crossguard.bundle import Bundle
from crossguard.errors import BundleError
from crossguard.moderator import Moderator
from crossguard.runtimes import ahead
from crossguard.runtimes.blobs import Blob

IMAGE = np.full((32, 32, 3), 90, np.uint8)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CROSSGUARD_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "compiled"


@pytest.fixture
def loads(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Grows with each kept graph that is looked for: whether it was found."""
    found: list[bool] = []
    load = Blob.load

    def noted(blob: Blob, *arguments: Any) -> Any:
        loaded = load(blob, *arguments)
        found.append(loaded is not None)
        return loaded

    monkeypatch.setattr(Blob, "load", noted)
    return found


def scores(bundle: Bundle, **options: Any) -> dict[str, float]:
    return crossguard.load(bundle.folder, runtime="openvino", **options).score(text="hello", image=IMAGE).scores


def test_what_is_kept_is_loaded_once_and_scores_the_same(tiny_bundle: Bundle, loads: list[bool]) -> None:
    first = scores(tiny_bundle)
    assert first == Moderator.load(tiny_bundle.folder).score(text="hello", image=IMAGE).scores
    for options in ({}, {"images_ahead": True}, {"one_by_one": True}, {"images_ahead": True, "one_by_one": True}):
        scores(tiny_bundle, **options)  # what it needs is kept now
        loads.clear()
        assert scores(tiny_bundle, **options) == first
        # A lone post needs the short row; without `one_by_one`, what many posts need is there as well.
        assert loads == [True] * 3
    assert not ahead._loading


def test_a_graph_that_nobody_takes_is_dropped(tiny_bundle: Bundle, loads: list[bool]) -> None:
    scores(tiny_bundle)
    loads.clear()
    with ahead.loading_ahead(tiny_bundle.folder / "bundle.json", ["text"], "fp32", None, one_by_one=True):
        assert len(ahead._loading) == 1
    assert not ahead._loading


def test_nothing_is_loaded_for_files_that_are_not_compared(tiny_bundle: Bundle, loads: list[bool]) -> None:
    scores(tiny_bundle)
    loads.clear()
    scores(tiny_bundle, verify=False)
    assert not loads


def test_another_bundle_cannot_borrow_a_digest(tiny_bundle: Bundle, tmp_path: Path) -> None:
    scores(tiny_bundle)
    other = shutil.copytree(tiny_bundle.folder, tmp_path / "other")
    manifest = json.loads((other / "bundle.json").read_bytes())
    manifest["model"]["name"] = "borrowed"
    (other / "bundle.json").write_text(json.dumps(manifest), encoding="utf-8")
    with pytest.raises(BundleError, match="its digest differs"):
        crossguard.load(other)
    assert not ahead._loading


@pytest.mark.parametrize(
    "content",
    [b"", b"[]", b"7", b"{}", b'{"digest": 7}', b'{"digest": "a", "precisions": 7}', b"[" * 100_000,
     b'{"digest": "a", "precisions": [["bf16"]]}', b'{"digest": "a", "precisions": ["fp8"]}'],
)  # fmt: skip
def test_a_manifest_that_tells_nothing_is_left_to_whoever_checks_it(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "bundle.json").write_bytes(content)
    for place in (tmp_path / "bundle.json", tmp_path / "absent.json"):
        with ahead.loading_ahead(place, ["text"], "auto", None, one_by_one=False):
            assert not ahead._loading


def test_a_fork_does_not_wait_for_what_its_parent_was_loading(tiny_bundle: Bundle) -> None:
    script = """
import os, signal, sys, threading
from pathlib import Path
import crossguard
from crossguard.runtimes import ahead

ahead._load = lambda *_, **__: threading.Event().wait()
folder = Path(sys.argv[1])
with ahead.loading_ahead(folder / "bundle.json", ["text"], "auto", None, one_by_one=False):
    print(len(ahead._loading), flush=True)
    child = os.fork()
    if child == 0:
        signal.alarm(60)
        crossguard.Moderator.load(folder, runtime="openvino").score("hello")
        os._exit(0)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
    os._exit(0)
"""
    scores(tiny_bundle)
    run = subprocess.run(
        [sys.executable, "-c", script, str(tiny_bundle.folder)], capture_output=True, text=True, timeout=120, check=True
    )
    assert run.stdout == "1\n0\n", run.stderr


def test_a_broken_cache_costs_only_the_time_to_compile(tiny_bundle: Bundle, folder: Path) -> None:
    first = scores(tiny_bundle)
    for file in folder.iterdir():
        file.write_bytes(file.read_bytes()[:-1])
    assert scores(tiny_bundle, one_by_one=True) == first
    for file in folder.iterdir():
        file.chmod(0o666)
    assert scores(tiny_bundle, one_by_one=True) == first


def test_a_long_text_has_its_graph_loaded_and_no_other(tiny_bundle: Bundle, loads: list[bool]) -> None:
    text = " ".join(["hello"] * 80)
    for _ in range(2):
        loads.clear()
        moderator = crossguard.load(tiny_bundle.folder, runtime="openvino", one_by_one=True, characters_ahead=len(text))
        moderator.score(text=text)
    assert loads == [True] * 2
