"""What attributes of toxicity say of hate, on rows made up in each dataset's layout."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.support.datasets import NONE, said, table

from crossguard.data.datasets.attributes import LONG, civil, jigsaw, surge

CALM = {"toxic": 0, "severe_toxic": 0, "insult": 0, "threat": 0, "obscene": 0, "identity_hate": 0}
SHARES = {"toxic_frac": 0, "insult_frac": 0, "threat_frac": 0, "identity_attack_frac": 0, "obscene_frac": 0}


@pytest.mark.parametrize(
    ("words", "marks", "hateful"),
    [
        ("a calm comment", {}, 0.0),
        ("an angry comment", {"toxic": 1}, 0.0),
        ("an angry comment about women", {"toxic": 1}, None),
        ("a calm comment about women", {}, 0.0),
        ("an attack", {"toxic": 1, "identity_hate": 1}, 1.0),
    ],
)
def test_a_toxic_comment_that_names_a_group_may_be_hateful_although_nobody_marked_it(
    words: str, marks: dict[str, int], hateful: float | None, tmp_path: Path
) -> None:
    (row,) = jigsaw(table(tmp_path / "train.csv", [{"id": "a", "comment_text": words, **CALM, **marks}]))
    labels, found, _ = said(row)
    assert found == hateful
    assert {name: labels[name] for name in NONE if name in labels} == (NONE if hateful == 0 else {})
    assert labels["toxicity"] == marks.get("toxic", 0)


@pytest.mark.parametrize(
    ("words", "marks", "stratum"),
    [
        ("x", {}, "clean"),
        ("x", {"toxic": 1}, "toxic"),
        ("x", {"toxic": 1, "threat": 1}, "rare"),
        ("x" * (LONG + 1), {}, "clean-long"),
    ],
)
def test_strata_tell_rare_attributes_and_long_comments(
    words: str, marks: dict[str, int], stratum: str, tmp_path: Path
) -> None:
    (row,) = jigsaw(table(tmp_path / "train.csv", [{"id": "a", "comment_text": words, **CALM, **marks}]))
    natural = row.split == "val"
    assert row.stratum == (stratum.removesuffix("-long") + "-natural" if natural else stratum)


@pytest.mark.parametrize(("attack", "hateful"), [(0.0, 0.0), (0.2, None), (0.5, 1.0)])
def test_half_of_the_annotators_make_an_attack_of_civil_comments(
    attack: float, hateful: float | None, tmp_path: Path
) -> None:
    row: dict[str, Any] = {"comment_id": 7, "comment_text": "x", **SHARES, "identity_attack_frac": attack}
    (found,) = civil(table(tmp_path / "civil_toxic_spans_agg.csv", [row]))
    labels, said_of_it, stratum = said(found)
    assert (said_of_it, stratum, labels["identity_attack"]) == (hateful, "clean", attack)
    assert {name for name in NONE if name in labels} == (set(NONE) if hateful == 0 else set())


def test_surge_is_for_measuring_alone(tmp_path: Path) -> None:
    rows = [{"text": "x", "is_toxic": "Toxic"}, {"text": "y", "is_toxic": "Not Toxic"}]
    toxic, other = surge(table(tmp_path / "toxicity_en.csv", rows))
    assert (said(toxic), toxic.split) == (({"toxicity": 1.0}, None, "toxic"), "test")
    assert (said(other), other.split) == (({"toxicity": 0.0}, None, "none"), "test")
