"""Our own harmless short posts: nothing hateful is among them, and a copy never stands on both sides of a split."""

from __future__ import annotations

from collections import defaultdict
from importlib.resources import files
from pathlib import Path

import yaml

from crossguard.data.datasets.short_texts import INSULTING, read
from crossguard.labels import ATTRIBUTES, HATE

FOLDER = Path(str(files("crossguard") / "resources" / "templates"))


def test_every_text_is_harmless_in_every_respect_and_there_once() -> None:
    rows = list(read(FOLDER))
    assert {tuple(row.labels.items()) for row in rows} == {tuple((name, 0.0) for name in (*HATE.names, *ATTRIBUTES))}
    assert {row.hateful for row in rows} == {0.0}
    assert len({row.text for row in rows}) == len(rows) > 1000
    assert {row.stratum for row in rows} == {"plain", "named"}


def test_copies_in_another_case_lie_in_one_split() -> None:
    splits = defaultdict(set)
    for row in read(FOLDER):
        splits[row.text.lower()].add(row.split)
    assert {len(own) for own in splits.values()} == {1}
    assert {"train", "val"} == set().union(*splits.values())


def test_names_that_insult_by_themselves_are_left_out() -> None:
    names = yaml.safe_load((FOLDER / "templates.yaml").read_text(encoding="utf-8"))
    lists = [names[f"{plain}{kind}s"] for kind in ("group", "person") for plain in ("", "plain_")] + [names["terms"]]
    assert {name for own in lists for found in own.values() for name in found} >= INSULTING
    assert not {row.text.lower() for row in read(FOLDER)} & INSULTING


def test_it_is_the_same_each_time() -> None:
    assert [row.text for row in read(FOLDER)] == [row.text for row in read(FOLDER)]
