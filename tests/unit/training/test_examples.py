"""What a recipe makes of a table."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from crossguard.data.datasets.rows import Row, write_table
from crossguard.training.examples import read_examples
from crossguard.training.recipe import Recipe, Source


def test_a_guess_by_stratum_counts_only_where_nobody_says_whether_a_post_is_hateful(tmp_path: Path) -> None:
    rows = [
        Row("said", "said", labels={"harm": 1.0}, hateful=0.0, stratum="mild"),
        Row("mild", "mild", labels={"harm": 1.0}, stratum="mild"),
        Row("other", "other", labels={"harm": 1.0}, stratum="other"),
    ]
    write_table(rows, ("harm", "racist"), "memes", tmp_path / "memes.parquet")
    source = Source(hateful={"mild": 0.3})
    recipe = Recipe(backend="compact", labels=("racist",), auxiliary=("harm",), sources={"memes": source})
    examples, _ = read_examples(recipe, tmp_path)
    np.testing.assert_allclose(examples.unions[:, 0], [0.0, 0.3, np.nan], rtol=1e-6)
    np.testing.assert_array_equal(examples.targets, [[np.nan, 1.0]] * 3)


def test_a_source_may_name_the_table_it_reads(tmp_path: Path) -> None:
    write_table([Row("a", "words", labels={"racist": 0.25})], ("racist",), "soft", tmp_path / "soft-0.parquet")
    sources = {"soft": Source(table="soft-0")}
    examples, _ = read_examples(Recipe(backend="compact", labels=("racist",), sources=sources), tmp_path)
    assert examples.sources == ("soft",)
    assert examples.targets.tolist() == [[0.25]]
