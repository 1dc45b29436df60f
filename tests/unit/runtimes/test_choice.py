"""Which runtime, in which arithmetic, and whether the graphs are what their names say."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from crossguard.bundle import Bundle
from crossguard.errors import BundleError, ConfigError, MissingExtraError
from crossguard.runtimes import tuning
from crossguard.runtimes.choice import PACKAGES, create


def test_unknown_names_get_a_suggestion(tiny_bundle: Bundle) -> None:
    with pytest.raises(ConfigError, match="Did you mean 'openvino'"):
        create("openvno", tiny_bundle.graphs)
    with pytest.raises(ConfigError, match="Unknown precision 'fp12'"):
        create("auto", tiny_bundle.graphs, precision="fp12")
    with pytest.raises(ConfigError, match="fp32 only"):
        create("onnx", tiny_bundle.graphs, precision="bf16")


def without(monkeypatch: pytest.MonkeyPatch, *missing: str) -> None:
    found = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *rest: None if name in missing else found(name, *rest)
    )


def test_the_best_that_is_installed_is_taken(tiny_bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    assert create("auto", tiny_bundle.graphs).name.startswith("openvino")
    without(monkeypatch, "openvino")
    assert create("auto", tiny_bundle.graphs).name.startswith("onnxruntime")
    without(monkeypatch, *PACKAGES.values())
    with pytest.raises(MissingExtraError, match=r"crossguard\[onnx\]"):
        create("auto", tiny_bundle.graphs)


@pytest.mark.parametrize("name", PACKAGES)
def test_a_graph_under_the_name_of_another_is_noticed(name: str, tiny_bundle: Bundle) -> None:
    graphs = dict(tiny_bundle.graphs)
    graphs["text"], graphs["fusion"] = graphs["fusion"], graphs["text"]
    with pytest.raises(BundleError, match=r"text\.onnx|fusion\.onnx"):
        create(name, graphs)


def test_a_precision_that_is_asked_for_is_not_tried(tiny_bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("nothing was to be tried")

    monkeypatch.setattr(tuning, "choose", refuse)
    assert create("openvino", tiny_bundle.graphs, precision="fp32").name.endswith("(fp32)")


def test_auto_chooses_among_what_the_bundle_allows(tiny_bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[Sequence[str], str]] = []

    def choose(graphs: dict[str, Path], allowed: Sequence[str], identity: str) -> Any:
        asked.append((allowed, identity))
        return tuning.Choice(dict.fromkeys(graphs, "fp32"), "so it was")

    monkeypatch.setattr(tuning, "choose", choose)
    create("openvino", tiny_bundle.graphs, threads=1, allowed=("fp32", "bf16"))
    assert asked == [(("fp32", "bf16"), "")]
