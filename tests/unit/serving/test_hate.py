"""The union of kinds of hate, which other interfaces know by one name."""

from __future__ import annotations

from dataclasses import replace

from tests.support.decisions import decision

from crossguard.labels import HATE
from crossguard.serving.hate import hate_labels, union_score


def test_the_union_is_the_highest_of_the_kinds_of_hate() -> None:
    known = decision("1", 0.2)
    label = known.labels["racist"]
    labels = dict(known.labels) | {"sexist": replace(label, score=0.6), "insult": replace(label, score=0.9)}
    mixed = replace(known, labels=labels)
    assert hate_labels(mixed) == HATE.names
    assert union_score(mixed) == 0.6


def test_without_a_kind_of_hate_there_is_no_union() -> None:
    known = decision("1")
    other = replace(known, labels={"insult": known.labels["racist"]})
    assert hate_labels(other) == ()
    assert union_score(other) is None
