from __future__ import annotations

from pathlib import Path

import click
import pytest

from crossguard.cli import run


def test_the_command_compares_runs_and_models(
    tiny_model: Path, annotated_posts: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = ["--model", str(tiny_model), "--rounds", "10"]
    assert run(["evaluate", str(annotated_posts), *data, "--out", str(tmp_path / "one")]) == 0
    out = tmp_path / "table.html"
    entries = [str(tmp_path / "one"), str(tiny_model)]
    more = ["--data", str(annotated_posts), "--policy", "benchmark", "--rounds", "20", "--out", str(out)]
    capsys.readouterr()
    assert run(["compare", *entries, *more]) == 0
    assert "p=" in capsys.readouterr().out
    page = out.read_text(encoding="utf-8")
    assert "tiny benchmark" in page
    assert "p = " in page or "p &lt; " in page
    assert run(["compare", *entries, "--out", "table.pdf"]) == 5
    assert run(["compare", *entries, *more]) == 7
    assert "Replace it with --overwrite" in capsys.readouterr().err


def test_names_of_models_are_whole_at_80_columns(
    tiny_model: Path,
    annotated_posts: Path,
    tmp_path: Path,
    narrow_terminal: None,
    capsys: pytest.CaptureFixture[str],
) -> None:
    name = "a-model-of-a-name-that-is-longer-than-half-of-the-terminal"
    options = ["--model", str(tiny_model), "--rounds", "10", "--no-images", "--name", name]
    assert run(["evaluate", str(annotated_posts), *options, "--out", str(tmp_path / "one")]) == 0
    capsys.readouterr()
    assert run(["compare", str(tmp_path / "one"), str(tmp_path / "one"), "--rounds", "10"]) == 0
    shown = click.unstyle(capsys.readouterr().out)
    assert "…" not in shown
    assert max(map(len, shown.splitlines())) <= 80
    assert name[:20] in shown
    assert name[-10:] in shown


def test_a_label_of_too_few_posts_is_told_as_such(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    posts = tmp_path / "posts.csv"
    rows = [(row, row < 40, row == 40) for row in range(90)]
    posts.write_text("id,text,a,b\n" + "".join(f"{row},post {row},{a:d},{b:d}\n" for row, a, b in rows))
    for name, shift in (("one", 0.0), ("two", 0.03)):
        scores = "".join(f"{row},{0.2 + a * 0.5 + shift},{0.3 + b * 0.3 + shift * (row % 5)}\n" for row, a, b in rows)
        (tmp_path / f"{name}.csv").write_text(f"id,a,b\n{scores}")
        options = ["--scores", str(tmp_path / f"{name}.csv"), "--rounds", "10", "--out", str(tmp_path / name)]
        assert run(["evaluate", str(posts), *options]) == 0
    capsys.readouterr()
    keys = ["--metric", "roc_auc_macro", "--metric", "a/roc_auc", "--rounds", "200"]
    assert run(["compare", str(tmp_path / "one"), str(tmp_path / "two"), *keys]) == 0
    shown = capsys.readouterr().out
    assert "too few posts to test" in shown
    assert shown.count("p=") == 1


def test_a_checkpoint_is_opened_as_by_other_commands(
    tiny_model: Path, annotated_posts: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("torch", reason="checkpoints belong to crossguard[train]")
    (tmp_path / "inference_config.json").write_text("{}", encoding="utf-8")
    monkeypatch.setattr("crossguard.export.bundle.as_bundle", lambda _: tiny_model)
    options = ["--data", str(annotated_posts), "--rounds", "2"]
    assert run(["compare", str(tiny_model), str(tmp_path), *options]) == 0


def test_what_is_no_run_says_how_to_make_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["compare", str(tmp_path)]) != 0
    assert "crossguard evaluate DATA --out" in capsys.readouterr().err


@pytest.mark.parametrize("option", ["--data", "--policy", "--split"])
def test_options_of_models_do_nothing_beside_runs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], option: str
) -> None:
    assert run(["compare", str(tmp_path / "a.json"), str(tmp_path / "b.json"), option, "x"]) == 2
    assert f"{option} does nothing beside runs: they were measured before" in capsys.readouterr().err


def test_a_test_without_resamples_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["compare", str(tmp_path / "a.json"), "--rounds", "0"]) == 2
    assert "0 is not in the range x>=1" in capsys.readouterr().err
