"""Tables of one's own."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("pyarrow", reason="tables belong to crossguard[parquet]")

from crossguard.data.datasets.generic import dataset
from crossguard.data.datasets.preparing import prepare
from crossguard.errors import TableError


def test_a_table_of_ones_own(tmp_path: Path) -> None:
    path = tmp_path / "mine.csv"
    # As pandas writes what is unknown, too.
    path.write_text("id,text,split,spam,hateful\na,hello,train,1,nan\nb,bye,val,,\nc,see you,val,NaN,None\n")
    report = prepare(dataset(path), path, tmp_path / "t.parquet")
    assert report.posts == {"train": 1}
    assert report.not_annotated == {"val": 2}
    path.write_text("id,text,spam\na,hello,often\n")
    with pytest.raises(TableError, match="from 0 to 1"):
        prepare(dataset(path), path, tmp_path / "t.parquet")


@pytest.mark.parametrize(
    ("content", "message"), [("id,spam\n1,0\n", "needs a column text"), ("", "is empty"), ("text,a\n", "no rows")]
)
def test_an_unusable_table_is_explained(tmp_path: Path, content: str, message: str) -> None:
    path = tmp_path / "mine.csv"
    path.write_text(content)
    with pytest.raises(TableError, match=message):
        dataset(path)


def test_a_jsonl_file_that_is_not_json_names_its_line(tmp_path: Path) -> None:
    path = tmp_path / "mine.jsonl"
    path.write_text('{"text": "a"}\n{oops\n')
    with pytest.raises(TableError, match="Line 2"):
        list(dataset(path).read(path))
