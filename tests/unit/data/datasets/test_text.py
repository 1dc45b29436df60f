"""What each dataset of texts says of the five labels, on rows made up in its layout."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.support.datasets import NONE, said, table

from crossguard.data.datasets import text
from crossguard.data.datasets.raw import split_by_hash
from crossguard.labels import HATE


def only(*names: str) -> dict[str, float]:
    return {name: float(name in names) for name in HATE.names}


def test_davidson_tells_hate_from_offence_and_not_whom_it_is_about(tmp_path: Path) -> None:
    rows = [{"": number, "class": number, "tweet": f"tweet {number}"} for number in range(3)]
    found = list(text.davidson(table(tmp_path / "labeled_data.csv", rows)))
    assert [said(row) for row in found] == [({}, 1.0, "hate"), (NONE, 0.0, "offensive"), (NONE, 0.0, "neither")]
    assert [(row.id, row.text) for row in found] == [(str(number), f"tweet {number}") for number in range(3)]
    assert [row.split for row in found] == [split_by_hash(row.text, 10) for row in found]


def test_edos_knows_one_label_and_of_harmless_posts_not_that_they_are(tmp_path: Path) -> None:
    rows = [
        {"rewire_id": "a", "text": "x", "label_sexist": "sexist", "split": "dev"},
        {"rewire_id": "b", "text": "y", "label_sexist": "not sexist", "split": "test"},
    ]
    sexist, other = text.edos(table(tmp_path / "edos.csv", rows))
    assert (said(sexist), sexist.split) == (({"sexist": 1.0}, 1.0, "sexist"), "val")
    assert (said(other), other.split) == (({"sexist": 0.0}, None, "none"), "test")


def test_ethos_leaves_out_what_annotators_are_divided_over(tmp_path: Path) -> None:
    shares = {"race": 0.1, "national_origin": 0.6, "gender": 0.3, "sexual_orientation": 0.0}
    row = {"comment": "x", **shares, "religion": 0.2, "disability": 0.19}
    (found,) = text.ethos(table(tmp_path / "ethos_multi_label.csv", [row]))
    # The higher share of race and origin counts; .3 and .2 are neither yes nor no.
    assert said(found) == ({"racist": 1.0, "homophobe": 0.0, "otherhate": 0.0}, 1.0, "hate")


@pytest.mark.parametrize(
    ("words", "label", "known"),
    [
        ("close the border", 1, {"racist": 1.0, "sexist": 0.0, "homophobe": 0.0}),
        ("what girls do", 1, {"sexist": 1.0}),
        ("girls at the border", 1, {}),
        ("nothing of either", 1, {}),
        ("close the border", 0, NONE),
    ],
)
def test_the_target_of_a_hateful_tweet_is_guessed_from_its_words(
    words: str, label: int, known: dict[str, float], tmp_path: Path
) -> None:
    for split in ("train", "val"):
        (tmp_path / f"{split}_text.txt").write_text(f"{words}\n", encoding="utf-8")
        (tmp_path / f"{split}_labels.txt").write_text(f"{label}\n", encoding="utf-8")
    train, val = text.tweeteval_hate(tmp_path)
    assert said(train) == said(val) == (known, float(label), "hate" if label else "none")
    assert (train.split, val.split) == ("train", "val")


def test_an_offensive_tweet_of_olid_may_be_hateful_and_a_harmless_one_is_not(tmp_path: Path) -> None:
    for split in ("train", "val"):
        (tmp_path / f"tweeteval_offensive_{split}_text.txt").write_text("a\nb\n", encoding="utf-8")
        (tmp_path / f"tweeteval_offensive_{split}_labels.txt").write_text("1\n0\n", encoding="utf-8")
    offensive, harmless, *_ = text.olid(tmp_path)
    assert said(offensive) == ({"toxicity": 1.0}, None, "offensive")
    assert said(harmless) == ({**NONE, "toxicity": 0.0}, 0.0, "none")


@pytest.mark.parametrize(
    ("target", "gold", "known"),
    [
        ("['blawom']", 1, only("racist", "sexist")),
        ("['gay', 'mus']", 1, only("homophobe", "religion")),
        ("wom", 1, only("sexist")),
        ("['clowns']", 1, {}),
        ("['gay']", 0, NONE),
    ],
)
def test_targets_of_emoji_posts_become_labels(target: str, gold: int, known: dict[str, float], tmp_path: Path) -> None:
    row = {"entry_id": 7, "text": "x", "label_gold": gold, "target": target}
    for name in ("train.csv", "validation.csv"):
        table(tmp_path / name, [row])
    train, val = text.hatemoji_build(tmp_path)
    assert said(train) == (known, float(gold), "hate" if gold else "none")
    assert (train.id, train.split, val.id, val.split) == ("train-7", "train", "val-7", "val")


def test_a_hateful_sentence_of_toxigen_carries_the_label_of_its_group(tmp_path: Path) -> None:
    rows = [
        {"text": kind + group, "label": kind, "group": group}
        for group in ("jewish", "women")
        for kind in ("hate", "neutral")
    ]
    found = [said(row) for row in text.toxigen(table(tmp_path / "toxigen_demonstrations.csv", rows))]
    assert found == [
        (only("religion"), 1.0, "hate"),
        (NONE, 0.0, "none"),
        (only("sexist"), 1.0, "hate"),
        (NONE, 0.0, "none"),
    ]


def test_a_sentence_of_stormfront_without_a_verdict_is_not_annotated(tmp_path: Path) -> None:
    rows = [{"id": label, "text": label, "label": label} for label in ("hate", "noHate", "relation")]
    hate, harmless, other = text.stormfront(table(tmp_path / "stormfront.csv", rows))
    assert said(hate) == ({}, 1.0, "hate")
    assert said(harmless) == (NONE, 0.0, "none")
    assert [row.annotated for row in (hate, harmless, other)] == [True, True, False]


def test_the_test_posts_of_misogyny_are_validation_posts(tmp_path: Path) -> None:
    rows = [
        {"id": "a", "text": "x", "level_1": "Misogynistic", "split": "train"},
        {"id": "a", "text": "y", "level_1": "Nonmisogynistic", "split": "test"},
    ]
    first, second = text.misogyny(table(tmp_path / "misogyny_eacl2021.csv", rows))
    assert (said(first), first.split, first.id) == (({"sexist": 1.0}, 1.0, "hate"), "train", "a-0")
    assert (said(second), second.split, second.id) == (({"sexist": 0.0}, None, "none"), "val", "a-1")


def test_mlma_believes_a_hateful_tweet_to_seven_tenths_and_leaves_doubtful_ones_out(tmp_path: Path) -> None:
    rows = [
        {"HITId": 1, "comment_text": "it\\u2019s @URL", "sentiment": "hateful_offensive", "target": "gender"},
        {"HITId": 2, "comment_text": "x", "sentiment": "hateful", "target": "other"},
        {"HITId": 3, "comment_text": "y", "sentiment": "normal", "target": "origin"},
        {"HITId": 4, "comment_text": "z", "sentiment": "offensive", "target": "origin"},
    ]
    hateful, aimless, normal, doubtful = text.mlma(table(tmp_path / "mlma_en.csv", rows))
    assert (hateful.text, said(hateful)) == ("it's ", ({"sexist": 0.7}, 0.7, "hate"))
    assert said(aimless) == ({}, 0.7, "hate")
    assert said(normal) == (NONE, 0.0, "none")
    assert [row.annotated for row in (hateful, aimless, normal, doubtful)] == [True, True, True, False]
