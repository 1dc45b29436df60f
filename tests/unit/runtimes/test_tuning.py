"""The precision of each graph follows from a trial, within what the bundle allows, and is remembered."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from tests.support.openvino_graphs import before_compiling

from crossguard.bundle import Bundle
from crossguard.moderator import Moderator
from crossguard.runtimes import choice, tuning
from crossguard.runtimes.tuning import Trial, choose, measure

BOTH = ("fp32", "bf16")
FASTER = {"fp32": 10.0, "bf16": 5.0}


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of this test, and a processor with bf16."""
    monkeypatch.setenv("CROSSGUARD_CACHE", str(tmp_path))
    monkeypatch.setattr(tuning, "multiplies_bf16", lambda: True)
    return tmp_path


def told(monkeypatch: pytest.MonkeyPatch, text: Mapping[str, float], image: Mapping[str, float]) -> list[int]:
    """Replaces measuring; returns a list that grows with each trial."""
    calls: list[int] = []

    def answer(graphs: Mapping[str, Path], precisions: Sequence[str]) -> list[Trial]:
        assert "fusion" in graphs
        assert tuple(precisions) == BOTH
        calls.append(1)
        return [Trial("text", text, {}), Trial("image", image, {})]

    monkeypatch.setattr(tuning, "measure", answer)
    return calls


@pytest.mark.parametrize(
    ("times", "allowed", "best"),
    [
        ({"fp32": 10.0, "bf16": 5.0}, BOTH, "bf16"),
        ({"fp32": 10.0, "bf16": 9.0}, BOTH, "fp32"),
        ({"fp32": 10.0, "bf16": 1000.0}, BOTH, "fp32"),
        ({"fp32": 10.0, "bf16": 5.0}, ("fp32",), "fp32"),
        ({"fp32": 10.0}, BOTH, "fp32"),
        ({}, BOTH, "fp32"),
    ],
)
def test_another_precision_must_be_allowed_and_clearly_faster(
    times: dict[str, float], allowed: tuple[str, ...], best: str
) -> None:
    assert Trial("text", times, {}).best(allowed) == best


def test_nothing_is_tried_where_there_is_nothing_to_choose(
    tiny_bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = told(monkeypatch, FASTER, FASTER)
    assert set(choose(tiny_bundle.graphs, ("fp32",), "id").precisions.values()) == {"fp32"}
    monkeypatch.setattr(tuning, "multiplies_bf16", lambda: False)
    choice = choose(tiny_bundle.graphs, BOTH, "id")
    assert set(choice.precisions.values()) == {"fp32"}
    assert "no units for bf16" in choice.reason
    assert not calls


def test_each_encoder_gets_its_own_and_the_choice_is_remembered(
    tiny_bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = told(monkeypatch, FASTER, {"fp32": 5.0, "bf16": 6.0})
    first = choose(tiny_bundle.graphs, BOTH, "id")
    assert first.precisions == {"text": "bf16", "image": "fp32", "fusion": "fp32"}
    assert "text: fp32 10.0 ms, bf16 5.0 ms" in first.reason
    told(monkeypatch, {"fp32": 1.0, "bf16": 2.0}, FASTER)
    assert choose(tiny_bundle.graphs, BOTH, "id").precisions == first.precisions
    assert choose(tiny_bundle.graphs, BOTH, "another bundle").precisions["text"] == "fp32"
    assert len(calls) == 1


def test_of_programs_that_begin_together_the_first_chooses(
    tiny_bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    def while_another_chooses(graphs: Mapping[str, Path], precisions: Sequence[str]) -> list[Trial]:
        told(monkeypatch, FASTER, FASTER)
        choose(graphs, precisions, "id")
        return [Trial("text", {"fp32": 1.0, "bf16": 2.0}, {})]

    monkeypatch.setattr(tuning, "measure", while_another_chooses)
    assert choose(tiny_bundle.graphs, BOTH, "id").precisions["text"] == "bf16"


def test_the_choice_is_the_same_for_any_number_of_threads(tiny_bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    calls = told(monkeypatch, FASTER, FASTER)
    for threads in (None, 1, 2):
        runtime = choice.create("auto", tiny_bundle.graphs, threads=threads, allowed=BOTH, identity="id")
        asked.append(runtime.name)
    assert asked == [asked[0]] * 3
    assert len(calls) == 1


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"not json",
        b"[" * 100_000,
        b'["bf16"]',
        b'{"text": "bf16"}',
        b'{"text": "int2", "image": "fp32", "fusion": "fp32"}',
        b'{"text": ["bf16"], "image": "fp32", "fusion": "fp32"}',
        b'{"text": "bf16", "image": "bf16", "fusion": "bf16"' + b" " * 10_000 + b"}",
    ],
)
def test_a_broken_or_hostile_memory_is_measured_anew(
    tiny_bundle: Bundle, monkeypatch: pytest.MonkeyPatch, cache: Path, content: bytes
) -> None:
    calls = told(monkeypatch, FASTER, FASTER)
    first = choose(tiny_bundle.graphs, BOTH, "id")
    (file,) = (cache / "arithmetic").iterdir()
    assert json.loads(file.read_bytes()) == first.precisions
    file.write_bytes(content)
    assert choose(tiny_bundle.graphs, BOTH, "id").precisions == first.precisions
    assert len(calls) == 2


def test_a_cache_that_cannot_be_written_does_not_matter(tiny_bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    told(monkeypatch, FASTER, FASTER)
    monkeypatch.setenv("CROSSGUARD_CACHE", "/proc/nowhere")
    assert choose(tiny_bundle.graphs, BOTH, "id").precisions["text"] == "bf16"


def test_a_precision_that_fails_is_not_chosen(tiny_bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse_bf16(model: Any, settings: dict[str, Any]) -> None:
        if settings["INFERENCE_PRECISION_HINT"] == "bf16" and model.inputs[0].get_any_name() == "pixels":
            raise RuntimeError("Check failed\nNo suitable implementations")

    before_compiling(monkeypatch, refuse_bf16)
    text, image = measure(tiny_bundle.graphs, BOTH)
    assert set(text.milliseconds) == set(BOTH)
    assert all(taken > 0 for taken in text.milliseconds.values())
    assert set(image.milliseconds) == {"fp32"}
    assert image.failures == {"bf16": "No suitable implementations"}
    assert image.best(BOTH) == "fp32"
    assert "bf16 fails" in tuning.describe(image)


def test_asked_for_is_taken_and_auto_is_what_was_chosen(tiny_bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    told(monkeypatch, FASTER, FASTER)
    assert Moderator.load(tiny_bundle.folder, precision="bf16").runtime.name.endswith("(bf16)")
    assert Moderator.load(tiny_bundle.folder).runtime.name.endswith("(fp32)"), "the bundle allows no other"
