"""The script that measures the attributes of a model."""

from __future__ import annotations

import json
from pathlib import Path

import measure_attributes
import pytest

from crossguard.data.datasets.rows import Row, write_table


def test_a_post_that_cannot_be_scored_is_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    texts = ["good day", "you are an idiot"] * 10
    rows = [Row(f"{n}", text, split="val", labels={"insult": float(n % 2)}) for n, text in enumerate(texts)]
    rows.append(Row("blank", split="val", labels={"insult": 0.0}))
    write_table(rows, ("insult",), "comments", tmp_path / "comments.parquet")
    monkeypatch.setattr("sys.argv", ["", "compact", str(tmp_path / "comments.parquet")])
    measure_attributes.main()
    found = json.loads(capsys.readouterr().out)
    assert list(found) == ["insult"]
    assert (found["insult"]["posts"], found["insult"]["positive"], found["insult"]["roc_auc"]) == (20, 10, 1.0)
