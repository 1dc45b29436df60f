from __future__ import annotations

from pathlib import Path

import pytest

from crossguard.cli import run

DETAILS = "summary: A toy.\nlimits: [It knows thirteen words.]\n"


def test_a_card_is_printed_or_written(tiny_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    details, out = tmp_path / "card.yaml", tmp_path / "README.md"
    details.write_text(DETAILS, encoding="utf-8")
    assert run(["card", str(tiny_model), "--details", str(details)]) == 0
    shown = capsys.readouterr().out
    assert "It knows thirteen words." in shown
    assert run(["card", str(tiny_model), "--details", str(details), "--out", str(out)]) == 0
    assert out.read_text(encoding="utf-8").strip() == shown.strip()
    assert run(["card", str(tiny_model), "--details", str(details), "--out", str(out)]) == 7, "a README of somebody"
    assert run(["card", str(tiny_model), "--details", str(details), "--out", str(out), "--overwrite"]) == 0


def test_what_an_audit_could_not_measure_is_undefined(
    tiny_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    details, suite, out = tmp_path / "card.yaml", tmp_path / "suite.csv", tmp_path / "audit"
    details.write_text(DETAILS, encoding="utf-8")
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
    tiny_model: Path, tmp_path: Path, options: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    details = tmp_path / "card.yaml"
    details.write_text(DETAILS, encoding="utf-8")
    assert run(["card", str(tiny_model), "--details", str(details), *options]) != 0
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
