from __future__ import annotations

import pytest

from crossguard.errors import ConfigError
from crossguard.evaluation.calibration.criteria import Criterion


@pytest.mark.parametrize(
    ("text", "criterion"),
    [
        ("f1", Criterion("f1")),
        ("precision>=0.9", Criterion("precision", 0.9)),
        ("recall >= 95%", Criterion("recall", 0.95)),
        ("cost=1:5", Criterion("cost", 1, 5)),
        ("cost 1:5", Criterion("cost", 1, 5)),
        ("review-budget=2%", Criterion("review-budget", 0.02)),
    ],
)
def test_criteria_read_as_people_write_them(text: str, criterion: Criterion) -> None:
    assert Criterion.parse(text) == criterion
    assert Criterion.parse(str(criterion)) == criterion, "a criterion that was printed can be typed"


@pytest.mark.parametrize("text", ["", "f2", "precision", "precision>=0", "recall>=101%", "cost=1", "review-budget=0%"])
def test_what_is_no_criterion_is_told_the_forms(text: str) -> None:
    with pytest.raises(ConfigError, match="A criterion is one of f1, precision"):
        Criterion.parse(text)
