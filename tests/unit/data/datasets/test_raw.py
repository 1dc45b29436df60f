"""Raw folders: what is looked for, and splits that never move."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from crossguard.data.datasets.raw import labelled_lines, require, split_by_hash
from crossguard.errors import TableError


def test_the_first_of_several_names_is_taken_and_none_is_told(tmp_path: Path) -> None:
    (tmp_path / "second.csv").touch()
    assert require(tmp_path, "first.csv", "second.csv") == tmp_path / "second.csv"
    with pytest.raises(TableError, match=r"does not hold first\.csv or third\.csv"):
        require(tmp_path, "first.csv", "third.csv")


def test_texts_and_labels_are_read_side_by_side(tmp_path: Path) -> None:
    for name, lines in {
        "train_text": "a\nb\n",
        "train_labels": "1\n0\n",
        "val_text": "c\n",
        "val_labels": "1\n",
    }.items():
        (tmp_path / f"{name}.txt").write_text(lines)
    read = list(labelled_lines(tmp_path, "{}.txt"))
    assert read == [("train", 0, "a", 1.0), ("train", 1, "b", 0.0), ("val", 0, "c", 1.0)]
    (tmp_path / "val_labels.txt").write_text("1\n0\n")
    with pytest.raises(TableError, match="holds 2 lines, and the file that it belongs to 1"):
        list(labelled_lines(tmp_path, "{}.txt"))


def test_a_split_follows_the_text_alone() -> None:
    splits = Counter(split_by_hash(f"text {number}", 10) for number in range(5000))
    assert splits["val"] == pytest.approx(500, abs=80)
    assert split_by_hash("text 1", 10) == split_by_hash("text 1", 10)
    assert {split_by_hash(f"{number}", 0) for number in range(50)} == {"train"}
