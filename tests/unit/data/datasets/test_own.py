"""Our own sentences: which label one carries, how it is written, and that short texts are harmless."""

from __future__ import annotations

from collections import Counter, defaultdict

import pytest
import yaml

from crossguard.data.datasets.own import INSULTING, short_texts, templates, written
from crossguard.data.datasets.rows import Row
from crossguard.labels import ATTRIBUTES, HATE
from crossguard.registry import RESOURCES

FOLDER = RESOURCES / "templates"


@pytest.fixture(scope="module")
def rows() -> list[Row]:
    return list(templates(FOLDER))


def test_a_sentence_carries_the_label_of_its_group_or_none(rows: list[Row]) -> None:
    for row in rows:
        given = [name for name, share in row.labels.items() if share]
        assert set(row.labels) == set(HATE.names)
        assert len(given) == (row.hateful or 0)
        assert row.stratum.startswith("hate" if given else "none")


def test_names_stand_in_hateful_and_in_harmless_sentences(rows: list[Row]) -> None:
    hateful = Counter(bool(row.hateful) for row in rows if "muslims" in row.text.lower())
    assert min(hateful[True], hateful[False]) > 10
    attacked = [row for row in rows if row.text.lower().startswith("women are filth")]
    assert attacked
    assert all(row.labels["sexist"] == 1 for row in attacked)


def test_a_slur_and_words_about_it_are_told_apart(rows: list[Row]) -> None:
    named = {row.text.lower().strip(".!"): row for row in rows}
    assert named["stop saying spic, it hurts people"].hateful == 0
    assert named["you fucking spic"].labels["racist"] == 1
    assert named["estate agents are scum"].hateful == 0


def test_most_are_for_training_and_the_rest_validates(rows: list[Row]) -> None:
    splits = Counter(row.split for row in rows)
    assert set(splits) == {"train", "val"}
    # One hash says how a sentence is written and where it goes: one that stays as it is never validates.
    assert 0.02 < splits["val"] / len(rows) < 0.05


def test_a_sentence_is_written_in_one_of_four_ways() -> None:
    sentences = [f"They are number {number} of all" for number in range(300)]
    forms = Counter(
        "shouted" if text.endswith("!") and text.isupper() else "low" if text.islower() else text[-1] == "."
        for text in map(written, sentences)
    )
    assert set(forms) == {"shouted", "low", True, False}


def test_every_text_is_harmless_in_every_respect_and_there_once() -> None:
    rows = list(short_texts(FOLDER))
    assert {tuple(row.labels.items()) for row in rows} == {tuple((name, 0.0) for name in (*HATE.names, *ATTRIBUTES))}
    assert {row.hateful for row in rows} == {0.0}
    assert len({row.text for row in rows}) == len(rows) > 1000
    assert {row.stratum for row in rows} == {"plain", "named"}


def test_copies_in_another_case_lie_in_one_split() -> None:
    splits = defaultdict(set)
    for row in short_texts(FOLDER):
        splits[row.text.lower()].add(row.split)
    assert {len(own) for own in splits.values()} == {1}
    assert {"train", "val"} == set().union(*splits.values())


def test_names_that_insult_by_themselves_are_left_out() -> None:
    names = yaml.safe_load((FOLDER / "templates.yaml").read_text(encoding="utf-8"))
    lists = [names[f"{plain}{kind}s"] for kind in ("group", "person") for plain in ("", "plain_")] + [names["terms"]]
    assert {name for own in lists for found in own.values() for name in found} >= INSULTING
    assert not {row.text.lower() for row in short_texts(FOLDER)} & INSULTING


def test_it_is_the_same_each_time() -> None:
    assert [row.text for row in short_texts(FOLDER)] == [row.text for row in short_texts(FOLDER)]
