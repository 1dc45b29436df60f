from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from tests.support.annotated_posts import SUITE
from tests.support.estimates import width

from crossguard.errors import TableError
from crossguard.evaluation.audit.suites import (
    NO_TARGET,
    Cell,
    read_phrases,
    read_suite,
    run_suite,
    score_phrases,
    summarise,
)
from crossguard.evaluation.sample import Sample
from crossguard.labels import HATE
from crossguard.moderator import Moderator
from crossguard.records import Post


def test_cells_hold_what_was_decided_right(suite_file: Path) -> None:
    suite = read_suite(suite_file, HATE.names)
    assert suite.columns["target_ident"] == (NO_TARGET, "women", "women", "Muslims")
    scores = np.array([[0.1, 0.1], [0.1, 0.9], [0.9, 0.1], [0.2, 0.4]])
    unknown = np.full((4, 2), np.nan)
    result = summarise(suite, Sample.build("ab", unknown, scores, hateful=suite.hateful), rounds=20)
    assert result.cells == {
        ("greeting", NO_TARGET): Cell(1, 1),
        ("greeting", "women"): Cell(0, 1),
        ("insult", "women"): Cell(1, 1),
        ("insult", "Muslims"): Cell(0, 1),
    }
    assert result.functions == {"greeting": Cell(1, 2), "insult": Cell(1, 2)}
    assert result.targets["women"] == Cell(1, 2)
    assert result.hateful == {"greeting": False, "insult": True}
    estimates = result.evaluation.per_label["any"]
    assert estimates["balanced_accuracy"].value == 0.5
    assert estimates["roc_auc"].value == 0.625


def test_cases_of_both_kinds_are_two_functionalities(tmp_path: Path) -> None:
    path = tmp_path / "suite.csv"
    lines = ["test_case,label_gold,functionality,target_ident", "a,hateful,slur,", "b,non-hateful,slur,", "c,hateful,,"]
    path.write_text("\n".join([*lines, "d,non-hateful,,", "e,hateful,threat,"]))
    read = read_suite(path, HATE.names)
    assert read.columns["functionality"] == ("slur (hateful)", "slur (harmless)", "(hateful)", "(harmless)", "threat")


def test_cases_of_one_template_count_as_one_for_intervals(tmp_path: Path) -> None:
    lines = [
        f"{kind},{kind} {word} about {name},{gold},{name},{kind}-{word}"
        for kind, gold in (("insult", "hateful"), ("greeting", "non-hateful"))
        for word in range(30)
        for name in ("women", "Muslims", "refugees")
    ]
    header, path = "functionality,test_case,label_gold,target_ident", tmp_path / "suite.csv"
    path.write_text("\n".join([f"{header},templ_id", *lines]))
    suite = read_suite(path, HATE.names)
    assert suite.groups is not None
    assert suite.groups.tolist() == np.repeat(np.arange(60), 3).tolist()
    scores = np.random.default_rng(0).random(60).repeat(3)[:, None]
    by_template, alone = (
        summarise(suite, Sample.build("a", np.full((180, 1), np.nan), scores, hateful=suite.hateful, groups=groups))
        for groups in (suite.groups, None)
    )
    for key in ("recall", "roc_auc", "balanced_accuracy"):
        wide, narrow = (result.evaluation.per_label["any"][key] for result in (by_template, alone))
        assert width(wide) == pytest.approx(3**0.5 * width(narrow), rel=0.2), key


def test_cases_without_a_template_are_grouped_by_their_words(tmp_path: Path) -> None:
    path = tmp_path / "suite.csv"
    lines = ["a,one,hateful,,1", "a,two,hateful,,1", "a,Two!,hateful,,", "a,two,hateful,,", "a,1,hateful,,"]
    path.write_text("\n".join(["functionality,test_case,label_gold,target_ident,templ_id", *lines]))
    groups = read_suite(path, HATE.names).groups
    assert groups is not None
    assert groups.tolist() == [0, 0, 1, 1, 2]


def test_a_suite_is_decided_as_the_moderator_decides(tiny: Moderator, suite_file: Path) -> None:
    suite = read_suite(suite_file, HATE.names)
    result = run_suite(tiny, suite, rounds=0)
    decisions = tiny.score([Post(post.text, post.text) for post in suite.posts])
    right = [d.ok and bool(d.flags) == bool(hateful) for d, hateful in zip(decisions, suite.hateful, strict=True)]
    assert sum(cell.right for cell in result.cells.values()) == sum(right)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("functionality,text,label_gold,target_ident\na,b,hateful,c", "no column 'test_case'"),
        ("test_case,label_gold,functionality,target_ident\n", "has no rows"),
        (SUITE.replace("non-hateful", "maybe"), "row 1: 'label_gold' must be 'hateful' or 'non-hateful'"),
    ],
)
def test_a_wrong_suite_is_refused(tmp_path: Path, content: str, message: str) -> None:
    path = tmp_path / "suite.csv"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(TableError, match=message):
        read_suite(path, HATE.names)


def test_cases_of_json_need_no_target_but_an_answer(tmp_path: Path) -> None:
    path = tmp_path / "suite.jsonl"
    case = {"functionality": "greeting", "test_case": "hello", "label_gold": "non-hateful"}
    path.write_text("".join(json.dumps(row) + "\n" for row in [case | {"target_ident": "women"}, case]))
    assert read_suite(path, HATE.names).columns["target_ident"] == ("women", NO_TARGET)
    path.write_text(path.read_text() + json.dumps({"test_case": "hello"}) + "\n")
    with pytest.raises(TableError, match="row 3: 'label_gold' must be 'hateful' or 'non-hateful', and is None"):
        read_suite(path, HATE.names)


def test_template_phrases_are_grouped_by_term(tiny: Moderator, tmp_path: Path) -> None:
    path = tmp_path / "madlibs.csv"
    rows = [
        f"t,{kind},{word} {name}"
        for name in ("gay", "blind")
        for kind, word in (("toxic", "awful"), ("nontoxic", "good"))
    ]
    path.write_text("template,toxicity,phrase\n" + "\n".join(rows), encoding="utf-8")
    scored, terms = score_phrases(tiny, read_phrases(path, HATE.names))
    assert list(terms) == ["blind", "gay"]
    assert terms["gay"].tolist() == [True, True, False, False]
    assert scored.sample.task("any").truth.tolist() == [True, False, True, False]
    assert len(read_phrases(path, HATE.names, limit=3)) == 3
    path.write_text("template,toxicity,phrase\nt,perhaps,x", encoding="utf-8")
    with pytest.raises(TableError, match="'toxic' or 'nontoxic'"):
        read_phrases(path, HATE.names)


def test_the_real_suites_are_read_whole(shared_data: Path) -> None:
    suite = read_suite(shared_data / "hatecheck" / "test_suite_cases.csv", HATE.names)
    assert len(suite) == 3728
    assert len(np.unique(suite.groups)) == 845  # type: ignore[arg-type]
    assert len(set(suite.columns["functionality"])) == 29
    assert len(set(suite.columns["target_ident"]) - {NO_TARGET}) == 7
    assert len(read_phrases(shared_data / "madlibs" / "en_sentence_templates.csv", HATE.names)) == 76564
