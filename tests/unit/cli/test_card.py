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
