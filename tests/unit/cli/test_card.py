from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from crossguard.cli import run
from crossguard.errors import BundleError, ConfigError


@pytest.fixture
def details(tmp_path: Path) -> Path:
    path = tmp_path / "card.yaml"
    path.write_text("summary: A toy.\nlimits: [It knows thirteen words.]\n", encoding="utf-8")
    return path


def test_a_card_is_printed_or_written(
    tiny_model: Path, details: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "README.md"
    assert run(["card", str(tiny_model), "--details", str(details)]) == 0
    shown = capsys.readouterr().out
    assert "It knows thirteen words." in shown
    assert run(["card", str(tiny_model), "--details", str(details), "--out", str(out)]) == 0
    assert out.read_text(encoding="utf-8").strip() == shown.strip()
    assert run(["card", str(tiny_model), "--details", str(details), "--out", str(out)]) == 7, "a README of somebody"
    assert run(["card", str(tiny_model), "--details", str(details), "--out", str(out), "--overwrite"]) == 0


def test_what_an_audit_could_not_measure_is_undefined(
    tiny_model: Path, details: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    suite, out = tmp_path / "suite.csv", tmp_path / "audit"
    suite.write_text("functionality,test_case,label_gold,target_ident\ninsult,awful people,hateful,women\n")
    audit = ["audit", "--model", str(tiny_model), "--suite", str(suite), "--rounds", "0", "--out", str(out)]
    assert run(audit) == 0
    capsys.readouterr()
    assert run(["card", str(tiny_model), "--details", str(details), "--audit", str(out)]) == 0
    assert "**suite.csv**: balanced accuracy undefined, ROC-AUC undefined, " in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--run", "nowhere"], "crossguard evaluate DATA --out nowhere"),
        (["--audit", "nowhere"], "crossguard audit --out nowhere"),
    ],
)
def test_absent_evidence_is_one_line(
    tiny_model: Path, details: Path, options: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["card", str(tiny_model), "--details", str(details), *options]) != 0
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


def test_a_card_does_not_renew_the_checksums_of_damaged_files(
    tiny_model: Path, details: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = shutil.copytree(tiny_model, tmp_path / "model")
    into = ["--details", str(details), "--into-bundle"]
    assert run(["card", str(model), *into]) == 0
    assert "It knows thirteen words." in (model / "README.md").read_text(encoding="utf-8")
    (model / "text.onnx").write_bytes(b"half")
    assert run(["card", str(model), *into]) == BundleError.exit_code
    assert "text.onnx has sha256" in capsys.readouterr().err
    assert run(["models", str(model), "--verify"]) == BundleError.exit_code


@pytest.mark.usefixtures("details")
@pytest.mark.parametrize("model", ["compact", "."])
def test_a_card_is_put_into_a_bundle_of_ones_own_only(
    model: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(["card", model, "--details", "card.yaml", "--into-bundle"]) == ConfigError.exit_code
    assert f"'{model}' is no folder of your own with a bundle.json" in capsys.readouterr().err
