from __future__ import annotations

from crossguard.export.quality import LabelQuality, Tolerance


def losses(*, positives: int = 100, flagged: int = 100, f1: tuple[float, float] = (0.6, 0.5)) -> list[str]:
    return LabelQuality(1000, positives, (0.9, 0.9), f1, flagged, flips=0.01).losses(Tolerance())


def test_a_label_that_loses_f1_is_named() -> None:
    assert losses() == ["F1 0.6000 → 0.5000 (may lose 0.02)"]
    assert losses(f1=(0.6, 0.59)) == []


def test_f1_at_a_threshold_that_flags_a_handful_decides_nothing() -> None:
    assert losses(flagged=19) == []
    assert losses(positives=19) == []


def test_flips_and_auc_count_however_few_are_flagged() -> None:
    lost = LabelQuality(1000, 100, (0.9, 0.8), (0.2, 0.1), 3, flips=0.2).losses(Tolerance())
    assert [text.split()[0] for text in lost] == ["ROC-AUC", "20.00%"]
