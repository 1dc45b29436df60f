"""Examples: posts and their targets as arrays."""

from __future__ import annotations

from pathlib import Path

from crossguard.data.datasets.rows import Row, write_table
from crossguard.training.recipe import Recipe
from crossguard.training.sources import read_examples


def test_a_fingerprint_follows_the_posts_and_their_targets(tmp_path: Path) -> None:
    def fingerprint(text: str, share: float, folder: str) -> str:
        path = tmp_path / folder / "t.parquet"
        write_table([Row("a", text, labels={"racist": share})], ("racist",), "t", path)
        return read_examples(Recipe(labels=("racist",), aggregation="votes"), path)[0].fingerprint()

    first = fingerprint("one", 0.5, "here")
    assert fingerprint("one", 0.5, "there") == first
    assert len({first, fingerprint("two", 0.5, "here"), fingerprint("one", 0.6, "here")}) == 3
