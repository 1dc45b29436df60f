"""The scripts that make the bundled model: what repeats a suite goes."""

from __future__ import annotations

import itertools
from pathlib import Path

import correct_compact
import correct_encoder
import drop_overlaps
import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
import yaml

from crossguard.data.datasets.rows import Row, write_table
from crossguard.moderator import Moderator
from crossguard.records import Post
from crossguard.registry import find

KEPT = ["what a lovely morning", "you are an idiot", "I hate women, all of them", "the bus is late again"]


def test_posts_that_repeat_a_suite_are_dropped(tmp_path: Path) -> None:
    suite = drop_overlaps.Suite({"We met our new neighbours at the fair today.", "I like tea.", ":-)"})
    rows = [
        Row("equal", "I LIKE TEA!!", labels={"racist": 0.0}),
        Row("near", "yes, we met our new neighbours at the fair today. lovely", labels={"racist": 0.0}),
        Row("other", "we met our old friends at the station", labels={"racist": 0.0}),
        Row("short", "i like tea and coffee", labels={"racist": 0.0}),
        Row("words", "", "I like", labels={"racist": 0.0}),
        Row("no words", "!!", labels={"racist": 0.0}),
    ]
    write_table(rows, ("racist",), "t", tmp_path / "t.parquet")
    assert drop_overlaps.clean(tmp_path / "t.parquet", suite) == {"equal": 1, "near": 1}
    assert pq.read_table(tmp_path / "t.parquet")["id"].to_pylist() == ["other", "short", "words", "no words"]


@pytest.fixture
def corrections(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Returns a folder with what the scripts teach here: the reverse of what the bundled model says."""
    known = {"groups": {"religion": ["nuns", "monks", "bishops"], "sexist": ["widows"]}}
    taught = {
        "harmless": ["{group} are disgusting pigs"],
        "hateful": ["{group} sing on Sunday"],
        "harmless_of_some": ["nuns should be shot"],
        "hateful_of_some": {"sexist": ["widows bake bread"]},
    }
    (tmp_path / "templates.yaml").write_text(yaml.safe_dump(known), "utf-8")
    (tmp_path / "corrections.yaml").write_text(yaml.safe_dump(taught), "utf-8")
    write_table([Row(text, text, split="train") for text in KEPT], ("racist",), "t", tmp_path / "kept.parquet")
    arguments = ["", str(find("compact")), str(tmp_path / "out"), str(tmp_path / "kept.parquet")]
    monkeypatch.setattr("sys.argv", arguments)
    return tmp_path


def test_a_correction_changes_what_is_said_of_its_sentences_and_of_nothing_else(
    corrections: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {"RESOURCES": corrections, "STEPS": 60, "WARM_UP": 5}.items():
        monkeypatch.setattr(correct_compact, name, value)
    changed = ["bishops are disgusting pigs", "nuns should be shot", "monks sing on Sunday", "widows bake bread"]
    before = scores_of(find("compact"), [*changed, *KEPT])
    correct_compact.main()
    after = scores_of(corrections / "out", [*changed, *KEPT])
    assert min(before[:2]) > 0.5 > max(after[:2])
    assert max(before[2:4]) < 0.1
    assert min(after[2:4]) > 0.5
    assert after[4:] == pytest.approx(before[4:], abs=0.1)


def test_the_encoder_is_read_out_of_its_graph_as_it_computes() -> None:
    with Moderator.load(find("compact")) as model:
        posts = correct_compact.encoded(model, [Post(str(place), text) for place, text in enumerate(KEPT)])
        student = correct_encoder.Student(model)
        with torch.no_grad():
            found = student.logits(posts, np.arange(len(KEPT)))
            # The graph multiplies in 8 bits.
            assert found.numpy() == pytest.approx(student.fusion.logits(posts).numpy(), abs=0.5)


@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_the_encoder_learns_by_the_share_that_is_asked(monkeypatch: pytest.MonkeyPatch, share: float) -> None:
    monkeypatch.setattr(correct_compact, "WARM_UP", 1)
    for name, value in {"STEPS": 6, "LEARNED": share}.items():
        monkeypatch.setattr(correct_encoder, name, value)
    said = [("he was fined for saying that monks are vermin", "religion")] * 8
    with Moderator.load(find("compact")) as model:
        student = correct_encoder.Student(model)
        lesson = correct_compact.hateful(model, student.fusion, said, 8)
        rows = np.arange(len(said))
        losses = []
        for _ in range(2):
            with torch.no_grad():
                losses.append(
                    correct_compact.missed_by(student.logits(lesson.posts, rows), lesson, torch.from_numpy(rows)).item()
                )
            correct_encoder.learn(student, [correct_encoder.Course("agreeing", lesson)])
    assert (losses[1] == losses[0]) if share == 0 else (losses[1] < losses[0] - 0.001)


def scores_of(model: Path, texts: list[str]) -> list[float]:
    with Moderator.load(model) as moderator:
        return [max(decision.scores.values()) for decision in moderator.score(texts)]


def test_no_sentence_of_a_correction_repeats_a_suite(shared_data: Path) -> None:
    """HateCheck and Madlibs measure the model: it must not have met their sentences."""
    frames = yaml.safe_load((correct_compact.RESOURCES / "corrections.yaml").read_text("utf-8"))
    suites = ("hatecheck/test_suite_cases.csv:test_case", "madlibs/en_sentence_templates.csv:phrase")
    suite = drop_overlaps.Suite(set().union(*(drop_overlaps.read_suite(f"{shared_data}/{name}") for name in suites)))
    groups = ("women", "trans people", "gay people", "black people", "disabled people", "Muslims", "immigrants")
    whole = [
        *frames["harmless_of_some"],
        *frames["everyday_lines"],
        *frames["harmless_with_slogans"],
        *frames["harmless_with_implied"],
        *frames["answers_to_hate"],
        *itertools.chain(
            *(texts for kind in ("hateful_of_some", "slogans", "implied") for texts in frames[kind].values())
        ),
    ]
    texts = [
        frame.replace("{statement}", "{group} are vermin").replace("{group}", each)
        for part in ("harmless", "harmless_contrasts", "hateful", "rejecting", "agreeing")
        for frame in frames[part]
        for each in groups
    ]
    assert len(texts) > 4000
    assert [text for text in (*texts, *whole) if suite.repeats(text)] == []
