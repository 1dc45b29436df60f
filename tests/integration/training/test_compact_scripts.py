"""The scripts that make the model in the box: what repeats a suite goes."""

from __future__ import annotations

import importlib.util
import itertools
import sys
from pathlib import Path
from types import ModuleType

import pyarrow.parquet as pq
import pytest
import yaml

from crossguard.data.datasets.rows import Row, write_table
from crossguard.moderator import Moderator
from crossguard.registry import find

SCRIPTS = Path(__file__).resolve().parents[3] / "scripts"
CORRECTIONS = SCRIPTS.parent / "src" / "crossguard" / "resources" / "templates" / "corrections.yaml"


def script(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, SCRIPTS / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules[name] = importlib.util.module_from_spec(spec)  # where dataclasses look for their annotations
    spec.loader.exec_module(module)
    return module


def test_posts_that_repeat_a_suite_are_dropped(tmp_path: Path) -> None:
    overlaps = script("drop_overlaps")
    suite = overlaps.Suite({"We met our new neighbours at the fair today.", "I like tea."})
    rows = [
        Row("equal", "I LIKE TEA!!", labels={"racist": 0.0}),
        Row("near", "yes, we met our new neighbours at the fair today. lovely", labels={"racist": 0.0}),
        Row("other", "we met our old friends at the station", labels={"racist": 0.0}),
        Row("short", "i like tea and coffee", labels={"racist": 0.0}),
        Row("words", "", "I like", labels={"racist": 0.0}),
    ]
    write_table(rows, ("racist",), "t", tmp_path / "t.parquet")
    assert overlaps.clean(tmp_path / "t.parquet", suite) == {"equal": 1, "near": 1}
    assert pq.read_table(tmp_path / "t.parquet")["id"].to_pylist() == ["other", "short", "words"]


def test_a_correction_changes_what_is_said_of_its_sentences_and_of_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it teaches here is the reverse of what the bundled model says."""
    correct = script("correct_compact")
    (tmp_path / "templates.yaml").write_text("groups: {religion: [nuns, monks, bishops], sexist: [widows]}", "utf-8")
    taught = {
        "harmless": ["{group} are disgusting pigs"],
        "hateful": ["{group} sing on Sunday"],
        "harmless_of_some": ["nuns should be shot"],
        "hateful_of_some": {"sexist": ["widows bake bread"]},
    }
    (tmp_path / "corrections.yaml").write_text(yaml.safe_dump(taught), "utf-8")
    kept = ["what a lovely morning", "you are an idiot", "I hate women, all of them", "the bus is late again"]
    write_table([Row(text, text, split="train") for text in kept], ("racist",), "t", tmp_path / "kept.parquet")
    monkeypatch.setattr(correct, "RESOURCES", tmp_path)
    monkeypatch.setattr(correct, "STEPS", 60)
    monkeypatch.setattr(correct, "WARM_UP", 5)
    monkeypatch.setattr("sys.argv", ["", str(find("compact")), str(tmp_path / "out"), str(tmp_path / "kept.parquet")])
    changed = ["bishops are disgusting pigs", "nuns should be shot", "monks sing on Sunday", "widows bake bread"]
    before = scores_of(find("compact"), [*changed, *kept])
    correct.main()
    after = scores_of(tmp_path / "out", [*changed, *kept])
    assert min(before[:2]) > 0.5 > max(after[:2])
    assert max(before[2:4]) < 0.1
    assert min(after[2:4]) > 0.5
    assert after[4:] == pytest.approx(before[4:], abs=0.1)


def scores_of(model: Path, texts: list[str]) -> list[float]:
    with Moderator.load(model) as moderator:
        return [max(decision.scores.values()) for decision in moderator.score(texts)]


def test_no_sentence_of_a_correction_repeats_a_suite(shared_data: Path) -> None:
    """HateCheck and Madlibs measure the model: it must not have met their sentences."""
    overlaps, frames = script("drop_overlaps"), yaml.safe_load(CORRECTIONS.read_text("utf-8"))
    suites = ("hatecheck/test_suite_cases.csv:test_case", "madlibs/en_sentence_templates.csv:phrase")
    suite = overlaps.Suite(set().union(*(overlaps.read_suite(f"{shared_data}/{name}") for name in suites)))
    groups = ("women", "trans people", "gay people", "black people", "disabled people", "Muslims", "immigrants")
    whole = [*frames["harmless_of_some"], *itertools.chain(*frames["hateful_of_some"].values())]
    texts = [
        frame.replace("{group}", each) for part in ("harmless", "hateful") for frame in frames[part] for each in groups
    ]
    assert len(texts) > 3000
    assert [text for text in (*texts, *whole) if suite.repeats(text)] == []
