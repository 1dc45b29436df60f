"""Export, in each format and from both engines."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from tests.support.pictures import data_url, encoded, halves
from tests.support.review import submission
from tests.unit.review.conftest import NOW, cast, decide_all

from crossguard.evaluation.annotated import read_annotated
from crossguard.labels import HATE
from crossguard.review.console import Console
from crossguard.review.export import export
from crossguard.review.settings import ReviewSettings
from crossguard.review.store import claims
from crossguard.review.store.database import Database
from crossguard.review.store.people import Person

PIXEL = data_url(encoded(halves(), "PNG"))


@pytest.fixture
def engine() -> str:
    """SQLite, unless a test says otherwise."""
    return "sqlite"


@pytest.mark.parametrize(
    ("engine", "suffix"), [("sqlite", ".jsonl"), ("sqlite", ".csv"), ("sqlite", ".parquet"), ("postgresql", ".parquet")]
)
def test_the_export_is_what_calibrate_reads(
    everything: ReviewSettings, database: Database, tmp_path: Path, suffix: str
) -> None:
    console = Console(everything, database)
    decide_all(console, posts=40)
    out = tmp_path / f"decided{suffix}"
    assert export(database, HATE.names, out).rows == 40
    annotated = read_annotated(out, HATE.names)
    assert len(annotated) == 40
    assert 10 < np.nansum(annotated.truth[:, 0]) < 25
    assert set(annotated.columns["split"]) <= {"train", "val", "test"}
    if suffix == ".csv":
        with out.open() as file:
            assert next(csv.DictReader(file))["votes"] == "1"


def test_what_a_table_has_no_place_for_is_counted(
    console: Console, database: Database, ann: Person, tmp_path: Path
) -> None:
    """A row has one image; the demo's posts are nobody's data."""
    console.intake.take([submission("1", images=(PIXEL,) * 3), submission("2", source="demo")], NOW)
    for item in (1, 2):
        with database.write() as tx:
            assert claims.claim(tx, item, ann.id, NOW, 600)
        cast(database, item, ann)
    done = export(database, HATE.names, tmp_path / "out.jsonl")
    assert (done.rows, done.images, done.more_images) == (1, 1, 2)
    assert len(list((tmp_path / "out-images").iterdir())) == 1
