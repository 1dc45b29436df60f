from __future__ import annotations

import json
from pathlib import Path

import click
import pytest

from crossguard.cli import run
from crossguard.decision.policy_file import read_policy_file


def test_the_command_writes_a_file_that_evaluate_takes(
    tiny_model: Path, annotated_posts: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "mine.yaml"
    options = ["--model", str(tiny_model), "--rounds", "20"]
    fit = [
        "--criterion",
        "f1",
        "--criterion",
        "sexist:precision>=0.05",
        "--calibration",
        "platt",
        "--prevalence",
        "racist=1%",
    ]
    assert run(["calibrate", str(annotated_posts), *options, *fit, "--out", str(out)]) == 0
    assert "policy mine 1: cross-validated metrics" in capsys.readouterr().out
    written = out.read_bytes()
    assert run(["calibrate", str(annotated_posts), *options, "--out", str(out)]) == 7
    assert "Replace it with --overwrite" in capsys.readouterr().err
    assert out.read_bytes() == written, "a policy that somebody may have edited is not replaced unasked"
    assert run(["evaluate", str(annotated_posts), *options, "--policy", str(out)]) == 0
    assert "WARNING: FITTED ON THESE POSTS" in capsys.readouterr().out.replace("\n", " ")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--criterion", "sexits:f1"], "Did you mean 'sexist'?"),
        (["--criterion", "best"], "A criterion is one of"),
        (["--prevalence", "racist"], "--prevalence is LABEL=SHARE"),
        (["--prevalence", "racist=150%"], "--prevalence is LABEL=SHARE"),
        (["--prevalence", "racist=1%", "--criterion", "review-budget=2%"], "give some with --feed"),
        (["--miss-rate", "0.001"], "needs 999 different hateful posts"),
        (["--name", "my policy"], "'name': String should match pattern"),
        (["--version", ""], "'version': String should have at least 1 character"),
    ],
)
def test_wrong_wishes_are_one_line_each(
    tiny_model: Path, annotated_posts: Path, options: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["calibrate", str(annotated_posts), "--model", str(tiny_model), "--calibration", "platt", *options]
    assert run(arguments) != 0
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


def test_the_command_that_is_told_names_the_model(
    tiny_model: Path, annotated_posts: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, options = tmp_path / "own policy.yaml", ["--rounds", "10", "--calibration", "platt", "--name", "own"]
    assert run(["calibrate", str(annotated_posts), "--model", str(tiny_model), *options, "--out", str(out)]) == 0
    told = f"crossguard score --model {tiny_model} --policy '{out}' ..."
    assert told in capsys.readouterr().err
    assert out.read_text().startswith(
        f"# Use it with: crossguard score --model {tiny_model} --policy 'own policy.yaml'"
    )


def test_the_table_fits_80_columns_with_every_threshold(
    tiny_model: Path,
    annotated_posts: Path,
    tmp_path: Path,
    narrow_terminal: None,
    capsys: pytest.CaptureFixture[str],
) -> None:
    options = ["--model", str(tiny_model), "--rounds", "10", "--calibration", "platt", "--prevalence", "racist=0.5%"]
    assert run(["calibrate", str(annotated_posts), *options, "--out", str(tmp_path / "p.yaml")]) == 0
    shown = click.unstyle(capsys.readouterr().out)
    assert "…" not in shown
    assert max(map(len, shown.splitlines())) <= 80
    for word in ("racist", "0.50%", "never", "platt", "in-sample"):
        assert word in shown, word


def test_thresholds_are_corrected_for_the_prevalence_in_a_feed(
    tiny_model: Path, annotated_posts: Path, tmp_path: Path
) -> None:
    feed, out = tmp_path / "feed.jsonl", tmp_path / "mine.yaml"
    feed.write_text("".join(json.dumps({"text": f"hello people {n}"}) + "\n" for n in range(40)), encoding="utf-8")
    options = ["--model", str(tiny_model), "--rounds", "0", "--calibration", "platt", "--feed", str(feed)]
    assert run(["calibrate", str(annotated_posts), *options, "--out", str(out)]) == 0
    estimated = read_policy_file(out).labels["racist"].prevalence
    assert estimated is not None
    assert abs(estimated.target - estimated.source) > 0.1, "to this model, the feed is unlike the labelled posts"


def test_two_criteria_for_all_labels_are_refused(annotated_posts: Path, capsys: pytest.CaptureFixture[str]) -> None:
    both = ["--criterion", "f1", "--criterion", "recall>=0.99"]
    assert run(["calibrate", str(annotated_posts), *both, "-o", "gone.yaml"]) == 5
    assert "'f1' and 'recall>=0.99' are both for all labels" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("twice", "told"),
    [
        (["--criterion", "racist:f1", "--criterion", "racist:recall>=0.99"], "twice for racist"),
        (["--prevalence", "racist=1%", "--prevalence", "racist=2%"], "twice for one label"),
    ],
)
def test_two_wishes_for_one_label_are_refused(
    twice: list[str], told: str, annotated_posts: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["calibrate", str(annotated_posts), *twice, "-o", "gone.yaml"]) == 5
    assert told in capsys.readouterr().err
