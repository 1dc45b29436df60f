from __future__ import annotations

from pathlib import Path

from crossguard.evaluation.metrics import METRICS

PAGE = Path(__file__).resolve().parents[3] / "docs" / "reference" / "metrics.md"


def test_every_metric_is_described_with_its_averages() -> None:
    text = PAGE.read_text(encoding="utf-8")
    for metric in METRICS.values():
        assert f"| `{metric.name}` | {metric.meaning} | {', '.join(metric.averages)} |" in text, metric.name
