from __future__ import annotations

import io
import json
import os
import sys
from pathlib import Path
from typing import Any

import click
import numpy as np
import pytest
from tests.support.tiny_bundle import write_tiny_bundle

from crossguard.cli import run
from crossguard.errors import OutputError
from crossguard.evaluation.leakage import post_hash
from crossguard.evaluation.score_tables import pack_texts
from crossguard.records import Post


def test_a_table_piped_has_one_line_per_row_and_nothing_cut(
    tiny_model: Path, annotated_posts: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "run"
    options = ["--model", str(tiny_model), "--rounds", "10", "--split", "a", "--out", str(out)]
    assert run(["evaluate", str(annotated_posts), *options]) == 0
    captured = capsys.readouterr()
    assert "…" not in captured.out
    assert "60 posts" in captured.out
    heads = [line for line in captured.out.splitlines() if "precision" in line.lower() and "ECE" in line]
    assert len(heads) == 1, "all columns beside each other"
    names = {"report.html", "run.json", "scores.npz", "test_metrics.json", "test_report.json"}
    assert {path.name for path in out.iterdir()} == names
    assert all(name in captured.err for name in names)


def test_what_is_written_is_there_though_the_reader_of_the_table_went_away(
    tiny_model: Path, annotated_posts: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Gone(io.StringIO):
        def write(self, text: str, /) -> int:  # noqa: ARG002 - as a pipe whose other end is closed
            raise BrokenPipeError

        def fileno(self) -> int:
            return os.open(os.devnull, os.O_WRONLY)

    out = tmp_path / "run"
    monkeypatch.setattr(sys, "stdout", Gone())
    options = ["--model", str(tiny_model), "--rounds", "0", "--no-images", "--out", str(out)]
    assert run(["evaluate", str(annotated_posts), *options]) == 141
    assert {"report.html", "run.json"} <= {path.name for path in out.iterdir()}


def test_a_terminal_of_80_columns_shows_every_metric(
    tiny_model: Path, annotated_posts: Path, narrow_terminal: None, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["evaluate", str(annotated_posts), "--model", str(tiny_model), "--rounds", "10", "--no-images"]) == 0
    shown = click.unstyle(capsys.readouterr().out)
    assert "…" not in shown
    assert max(map(len, shown.splitlines())) <= 80
    for word in ("Precision", "Recall", "F1", "ROC-AUC", "Avg", "ECE", "racist", "otherhate", "weighted"):
        assert word in shown, word


@pytest.mark.parametrize("rounds", [0, 10])
def test_intervals_are_named_where_there_are_some(
    tiny_model: Path, annotated_posts: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], rounds: int
) -> None:
    options = ["--model", str(tiny_model), "--rounds", str(rounds), "--no-images", "--out", str(tmp_path / "run")]
    assert run(["evaluate", str(annotated_posts), *options]) == 0
    page = (tmp_path / "run" / "report.html").read_text(encoding="utf-8")
    assert [("interval" in shown) for shown in (capsys.readouterr().out, page)] == [rounds > 0] * 2


def test_json_is_all_that_stdout_gets(
    tiny_model: Path, annotated_posts: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["--model", str(tiny_model), "--rounds", "0", "--no-images", "--json", "--positive-from", "0.4"]
    assert run(["evaluate", str(annotated_posts), *options]) == 0
    stored: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert stored["facts"]["positive_from"] == 0.4
    assert stored["main"]["posts"] == 120
    assert stored["facts"]["command"].startswith("crossguard")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--split", "c"], "no row of split 'c'"),
        (["--cross-fit", "best"], "A criterion is one of"),
        (["--policy", "defualt"], "Did you mean 'default'?"),
    ],
)
def test_wrong_wishes_are_one_line_each(
    tiny_model: Path, annotated_posts: Path, options: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["evaluate", str(annotated_posts), "--model", str(tiny_model), "--rounds", "0", *options]) != 0
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


def test_labels_that_the_first_post_lacks_are_measured(tmp_path: Path) -> None:
    rows = [{"id": "1", "ham": 0}, {"id": "2", "spam": 1, "ham": 1}]
    (tmp_path / "posts.jsonl").write_text("".join(json.dumps({"text": "x"} | row) + "\n" for row in rows))
    (tmp_path / "scores.csv").write_text("id,spam,ham\n1,0.25,0.5\n2,0.75,0.5\n")
    measured = ["evaluate", str(tmp_path / "posts.jsonl"), "--scores", str(tmp_path / "scores.csv"), "--rounds", "0"]
    assert run([*measured, "--out", str(tmp_path / "run")]) == 0
    report = json.loads((tmp_path / "run" / "test_report.json").read_text(encoding="utf-8"))
    assert report["spam"]["recall"] == 1.0
    assert report["ham"]["recall"] == 1.0


@pytest.mark.parametrize("labels", ["racist,hateful", "hateful"])
def test_decisions_of_a_model_are_measured_as_the_model_is(
    tiny_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], labels: str
) -> None:
    """Also where the posts lack labels of which they have flags."""
    posts, decisions = tmp_path / "posts.csv", tmp_path / "decisions.csv"
    words = ("hello you", "awful people", "good morning", "you hateful people")
    rows = [f"{number},{text},{'0,' * labels.count(',')}{number % 2}\n" for number, text in enumerate(words)]
    posts.write_text(f"id,text,{labels}\n" + "".join(rows))
    assert run(["score", str(posts), "-o", str(decisions), "--model", str(tiny_model), "-q"]) == 0
    found = []
    for how in (["--model", str(tiny_model)], ["--scores", str(decisions)]):
        capsys.readouterr()
        assert run(["evaluate", str(posts), *how, "--rounds", "0", "--json"]) == 0
        found.append(json.loads(capsys.readouterr().out))
    of_model, of_decisions = found
    assert of_decisions["main"]["counts"] == of_model["main"]["counts"]
    assert of_decisions["main"]["per_label"]["any"] == of_model["main"]["per_label"]["any"]
    assert of_decisions["warnings"] == of_model["warnings"]
    assert any("Not annotated here" in warning for warning in of_model["warnings"]) == ("racist" in labels)


def test_the_worst_errors_are_those_of_their_posts_where_the_first_was_not_scored(
    tiny_model: Path, tmp_path: Path
) -> None:
    posts, decisions, out = tmp_path / "posts.csv", tmp_path / "decisions.jsonl", tmp_path / "run"
    rows = [{"id": str(row), "text": f"word{row}" * (row > 0), "racist": 1} for row in range(4)]
    posts.write_text("id,text,racist\n" + "".join(",".join(map(str, row.values())) + "\n" for row in rows))
    assert run(["score", str(posts), "-o", str(decisions), "--model", str(tiny_model), "-q"]) == 0
    assert run(["evaluate", str(posts), "--scores", str(decisions), "--rounds", "0", "--out", str(out)]) == 0
    page = (out / "report.html").read_text(encoding="utf-8")
    assert [f"word{row}" in page for row in range(1, 4)] == [True] * 3


def test_predictions_of_all_folds_measure_a_table_with_rows_that_training_left_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    posts = tmp_path / "posts.csv"
    posts.write_text("id,text,racist\n1,hello,0\n2,awful,1\n3,,1\n4,you,\n")
    config = {"class_names": ["racist"], "label_schemes": {"labels": [0]}}
    options = []
    for fold, id_ in enumerate("12"):
        folder = tmp_path / str(fold)
        folder.mkdir()
        (folder / "inference_config.json").write_text(json.dumps(config), encoding="utf-8")
        np.savez(folder / "predictions.npz", ids=pack_texts([id_]), logits=np.array([[2.0 * fold - 1]]))
        options += ["--scores", str(folder)]
    assert run(["evaluate", str(posts), *options, "--rounds", "0", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["main"]["posts"], found["main"]["overall"]["f1_macro"]["value"]) == (2, 1.0)
    assert any("2 posts without a score" in warning for warning in found["warnings"])


@pytest.mark.parametrize("options", [[], ["--no-images"]])
def test_predictions_for_a_table_in_another_order_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], options: list[str]
) -> None:
    posts, folder = tmp_path / "posts.csv", tmp_path / "run"
    folder.mkdir()
    config = {"class_names": ["racist"], "label_schemes": {"labels": [0]}}
    (folder / "inference_config.json").write_text(json.dumps(config), encoding="utf-8")
    contents = [post_hash(Post("", text)) for text in ("hello", "awful")]
    ids, logits = pack_texts(["line-2", "line-3"]), np.array([[-1.0], [1.0]])
    np.savez(folder / "predictions.npz", ids=ids, contents=pack_texts(contents), logits=logits)
    measured = ["evaluate", str(posts), "--scores", str(folder), "--rounds", "0", "--json", *options]
    posts.write_text("text,racist\nhello,0\nawful,1\n")
    assert run(measured) == 0
    assert json.loads(capsys.readouterr().out)["main"]["overall"]["f1_macro"]["value"] == 1.0
    posts.write_text("text,racist\nawful,1\nhello,0\n")
    assert run(measured) != 0
    assert "'line-2' had another text when it was scored" in capsys.readouterr().err


def test_scores_of_whether_a_post_is_hateful_are_measured(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "posts.csv").write_text("id,text,hateful\n1,hello,0\n2,awful,1\n")
    (tmp_path / "scores.csv").write_text("id,hateful\n1,0.25\n2,0.75\n")
    measured = ["evaluate", str(tmp_path / "posts.csv"), "--scores", str(tmp_path / "scores.csv"), "--rounds", "0"]
    assert run([*measured, "--json"]) == 0
    per_label = json.loads(capsys.readouterr().out)["main"]["per_label"]
    assert {label: per_label[label]["f1"]["value"] for label in per_label} == {"hateful": 1.0, "any": 1.0}


def test_scores_that_are_given_take_no_model(annotated_posts: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Their thresholds would not be those of the policy."""
    assert run(["evaluate", str(annotated_posts), "--scores", "gone.csv"]) != 0
    assert capsys.readouterr().err.startswith("Error: Cannot read 'gone.csv'")
    for option in ("--model", "--policy", "--tenant"):
        assert run(["evaluate", str(annotated_posts), "--scores", "gone.csv", option, "x"]) == 2
        assert f"{option} does nothing beside --scores" in capsys.readouterr().err


@pytest.mark.parametrize(("option", "other"), [("--label-scheme", "--scores"), ("--training-split", "--training")])
def test_what_needs_another_option_is_refused_without_it(
    capsys: pytest.CaptureFixture[str], option: str, other: str
) -> None:
    assert run(["evaluate", "posts.csv", option, "x"]) == 2
    assert f"{option} does nothing without {other}." in capsys.readouterr().err


def test_a_limit_outside_of_the_answers_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    """As a percentage, every post would be harmless."""
    assert run(["evaluate", "posts.csv", "--positive-from", "50"]) == 2
    assert "50.0 is not in the range 0<x<=1" in capsys.readouterr().err


@pytest.mark.parametrize(("command", "out"), [("evaluate", "run"), ("audit", "run"), ("calibrate", "policy.yaml")])
def test_an_output_that_cannot_be_written_is_told_before_the_model_is_loaded(
    command: str, out: str, annotated_posts: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def load(*_: object, **__: object) -> None:
        raise AssertionError("loaded")

    monkeypatch.setattr("crossguard.loading.load", load)
    (tmp_path / "file").touch()
    assert run([command, str(annotated_posts), "--out", str(tmp_path / "file" / out)]) == 7


@pytest.mark.parametrize("command", ["evaluate", "audit"])
def test_results_are_not_written_into_a_bundle(
    command: str, annotated_posts: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One of them has the name of a file that the bundle lists with its checksum."""
    model = write_tiny_bundle(tmp_path / "model").folder
    before = sorted(path.name for path in model.iterdir())
    options = ["--model", str(model), "--rounds", "0", "--out", str(model)]
    assert run([command, str(annotated_posts), *options]) == OutputError.exit_code
    assert f"'{model}' holds a bundle" in capsys.readouterr().err
    assert sorted(path.name for path in model.iterdir()) == before
