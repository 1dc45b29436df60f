from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click
import pytest

from crossguard.cli import run
from crossguard.evaluation.audit.evasion import EVASIONS
from crossguard.evaluation.audit.identities import IDENTITIES


def test_the_command_prints_tables_and_writes_pages(
    tiny_model: Path, annotated_posts: Path, suite_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["--model", str(tiny_model), "--suite", str(suite_file), "--group-column", "group", "--rounds", "10"]
    assert run(["audit", str(annotated_posts), *options, "--out", str(tmp_path / "out")]) == 0
    shown = capsys.readouterr().out
    assert "insult" in shown
    assert "…" not in shown, "a pipe has room for every number"
    assert all(any(line.strip().startswith(name) for line in shown.splitlines()) for name in IDENTITIES)
    assert "subgroup" in shown
    page = (tmp_path / "out" / "audit.html").read_text(encoding="utf-8")
    assert "Whom does it treat unfairly?" in page
    assert "<script" not in page
    stored = json.loads((tmp_path / "out" / "audit.json").read_text(encoding="utf-8"))
    assert set(stored["groups"]["posts.jsonl"]["groups"]) == {"x", "y"}
    assert stored["suites"][0]["functions"]["insult"]["cases"] == 2
    assert run(["audit", str(annotated_posts), *options, "--out", str(tmp_path / "out")]) == 0
    assert f"to {tmp_path / 'out'}, in place of those of an earlier run" in capsys.readouterr().err


def test_evasion_without_posts_is_refused(tiny_model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["audit", "--model", str(tiny_model), "--evasion"]) != 0
    assert "crossguard audit POSTS --evasion" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--split", "test"], "--split does nothing without DATA"),
        (["--group-column", "g"], "--group-column does nothing without DATA"),
        (["--swaps", "5"], "--swaps does nothing without DATA"),
        (["--no-images"], "--images does nothing without DATA"),
        (["posts.csv", "--limit", "5"], "--limit does nothing without --madlibs"),
        (["posts.csv", "--evasion-posts", "5"], "--evasion-posts does nothing without --evasion"),
        (["posts.csv", "--swaps", "-5"], "-5 is not in the range x>=0"),
        (["posts.csv", "--madlibs", "m.csv", "--limit", "-3"], "-3 is not in the range x>=0"),
        (["posts.csv", "--evasion", "--evasion-posts", "0"], "0 is not in the range x>=1"),
    ],
)
def test_what_does_nothing_or_is_no_number_is_refused(
    options: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["audit", *options]) == 2
    assert told in capsys.readouterr().err


def test_the_command_prints_and_writes_every_way(
    tiny_model: Path, annotated_posts: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["--evasion", "--evasion-posts", "4", "--rounds", "10", "--no-images", "--out", str(tmp_path)]
    assert run(["audit", str(annotated_posts), "--model", str(tiny_model), *options]) == 0
    shown = capsys.readouterr().out
    stored: dict[str, Any] = json.loads((tmp_path / "audit.json").read_text(encoding="utf-8"))["robustness"][0]
    page = (tmp_path / "audit.html").read_text(encoding="utf-8")
    assert set(stored["ways"]) == set(EVASIONS)
    assert stored["hateful"] == stored["harmless"] == 4
    for name in EVASIONS:
        assert name in shown
        assert name in page
    assert "worst tenth of the ways" in shown
    assert "Question" not in page.partition("in disguise")[2].partition("<table")[0]
    assert "…" not in shown.partition("disguise:")[2]
    assert max(map(len, shown.partition("disguise:")[2].splitlines())) <= 80


def test_tables_and_page_name_the_question(
    tiny_model: Path, suite_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["--model", str(tiny_model), "--label", "sexist", "--suite", str(suite_file), "--out", str(tmp_path)]
    assert run(["audit", *options]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert "question 'sexist': spread" in shown
    assert "suite.csv, question 'any': balanced accuracy" in shown
    page = " ".join((tmp_path / "audit.html").read_text(encoding="utf-8").split())
    assert "Question: sexist. The score for sexist of a sentence moves by" in page
    assert "of the sentences are flagged as sexist for some groups only" in page


def test_a_page_names_the_label_whose_flags_disguises_change(
    tiny_model: Path, annotated_posts: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["--evasion", "--evasion-posts", "4", "--rounds", "0", "--no-images", "--label", "racist", "--swaps", "0"]
    assert run(["audit", str(annotated_posts), "--model", str(tiny_model), *options, "--out", str(tmp_path)]) == 0
    assert "posts.jsonl, question 'racist': " in capsys.readouterr().out
    page = (tmp_path / "audit.html").read_text(encoding="utf-8")
    assert '<p class="soft">Question: racist. ' in page.partition("in disguise")[2]


def test_no_number_is_cut_off_at_80_columns(
    tiny_model: Path,
    annotated_posts: Path,
    suite_file: Path,
    narrow_terminal: None,
    capsys: pytest.CaptureFixture[str],
) -> None:
    options = ["--model", str(tiny_model), "--suite", str(suite_file), "--group-column", "group", "--rounds", "10"]
    assert run(["audit", str(annotated_posts), *options]) == 0
    shown = click.unstyle(capsys.readouterr().out)
    assert "…" not in shown
    assert max(map(len, shown.splitlines())) <= 80
    for word in (*IDENTITIES, "subgroup", "BNSP", "missed", "insult", "women", "Muslims"):
        assert word in shown, word


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--group-column", "grupo"], "Did you mean 'group'?"),
        (["--label", "racit"], "Did you mean 'racist'?"),
        (["--split", "c"], "no row of split 'c'"),
        (["--suite", "gone.csv"], "Cannot read 'gone.csv'"),
    ],
)
def test_wrong_wishes_are_one_line_each(
    tiny_model: Path, annotated_posts: Path, options: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["audit", str(annotated_posts), "--model", str(tiny_model), "--rounds", "0", *options]) != 0
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
