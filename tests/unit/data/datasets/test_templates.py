"""Our own sentences: which label a sentence carries, and how it is written."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from crossguard.data.datasets.rows import Row
from crossguard.data.datasets.templates import DATASET, read, written
from crossguard.registry import RESOURCES


@pytest.fixture(scope="module")
def rows() -> list[Row]:
    return list(read(RESOURCES / "templates"))


def test_a_sentence_carries_the_label_of_its_group_or_none(rows: list[Row]) -> None:
    for row in rows:
        given = [name for name, share in row.labels.items() if share]
        assert set(row.labels) == set(DATASET.labels)
        assert len(given) == (row.hateful or 0)
        assert row.stratum.startswith("hate" if given else "none")


def test_names_stand_in_hateful_and_in_harmless_sentences(rows: list[Row]) -> None:
    hateful = Counter(bool(row.hateful) for row in rows if "muslims" in row.text.lower())
    assert min(hateful[True], hateful[False]) > 10


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


def test_a_folder_without_the_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(Exception, match=r"templates\.yaml"):
        list(read(tmp_path))
