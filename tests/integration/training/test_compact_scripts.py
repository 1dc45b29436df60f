"""The scripts that make the model in the box: what repeats a suite goes."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pyarrow.parquet as pq

from crossguard.data.datasets.rows import Row, write_table

SCRIPTS = Path(__file__).resolve().parents[3] / "scripts"


def script(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, SCRIPTS / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_posts_that_repeat_a_suite_are_dropped(tmp_path: Path) -> None:
    overlaps = script("drop_overlaps")
    suite = overlaps.Suite({"We met our new neighbours at the fair today.", "I like tea."})
    rows = [
        Row("equal", "I LIKE TEA!!", labels={"racist": 0.0}),
        Row("near", "yes, we met our new neighbours at the fair today. lovely", labels={"racist": 0.0}),
        Row("other", "we met our old friends at the station", labels={"racist": 0.0}),
        Row("short", "i like tea and coffee", labels={"racist": 0.0}),
        Row("words", "", "I like", labels={"racist": 0.0}),
    ]
    write_table(rows, ("racist",), "t", tmp_path / "t.parquet")
    assert overlaps.clean(tmp_path / "t.parquet", suite) == {"equal": 1, "near": 1}
    assert pq.read_table(tmp_path / "t.parquet")["id"].to_pylist() == ["other", "short", "words"]
