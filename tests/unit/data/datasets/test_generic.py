"""Tables of one's own."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from crossguard.data.datasets.generic import dataset
from crossguard.data.datasets.preparing import prepare
from crossguard.data.tables import PostReader
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


def test_words_and_images_that_are_not_read_are_told(tmp_path: Path) -> None:
    path = tmp_path / "mine.csv"
    path.write_text("id,text,title,image_url,spam\na,hello,Greetings,https://example.org/a.png,1\n")
    caution = prepare(dataset(path, ["spam"]), path, tmp_path / "t.parquet").caution
    assert "'title' is not scored" in caution
    assert "'image_url' is not read" in caution
    path.write_text("image_path,Kommentar,spam\na.png,what they said,1\nb.png,and there again,0\n")
    assert dataset(path, ["spam"]).caution == (
        "column 'Kommentar' holds words, and no column is the text; if people read them with the images: "
        "rename it to 'text'"
    )
    path.write_text("id,text,title\na,hello,1\n")
    assert not dataset(path, ["title"]).caution


@pytest.mark.parametrize(
    ("header", "wanted"), [("text,hateful", []), ("text,hateful", ["hateful"]), ("text,hateful,spam", ["hateful"])]
)
def test_a_column_that_is_no_label_for_training_is_told(tmp_path: Path, header: str, wanted: list[str]) -> None:
    path = tmp_path / "mine.csv"
    path.write_text(f"{header}\na,1,0\n" if "spam" in header else f"{header}\na,1\n")
    with pytest.raises(TableError, match=r"'hateful' is no label for training.* rename the column, such as to is_hate"):
        dataset(path, wanted)


def test_splits_are_named_as_for_evaluate(tmp_path: Path) -> None:
    path = tmp_path / "mine.csv"
    path.write_text('text,split,spam\na,test,1\nb," test ",0\nc,NaN,0\nd,,1\n')
    assert [row.split for row in dataset(path).read(path)] == ["test", "test", "train", "train"]


def test_no_label_is_suggested_for_the_text(tmp_path: Path) -> None:
    path = tmp_path / "mine.csv"
    path.write_text("id,Texts,sexist\na,hello there,1\nb,bye,0\n")
    for wanted in ([], ["sexist"]):
        with pytest.raises(TableError, match=r"rename yours\. Did you mean 'Texts'\? Known: Texts\.$"):
            dataset(path, wanted)


@pytest.mark.parametrize(
    ("content", "message"), [("id,spam\n1,0\n", "needs a column text"), ("", "is empty"), ("text,a\n", "no rows")]
)
def test_an_unusable_table_is_explained(tmp_path: Path, content: str, message: str) -> None:
    path = tmp_path / "mine.csv"
    path.write_text(content)
    with pytest.raises(TableError, match=message):
        dataset(path)


def test_columns_of_a_table_are_known_from_its_first_row(tmp_path: Path) -> None:
    """Large tables are read once, for their rows; objects of JSON may differ, and are read for their names as well."""
    path = tmp_path / "mine.csv"
    path.write_text("text,spam\na,1\nb\n")
    table = dataset(path)
    assert table.labels == ("spam",)
    with pytest.raises(TableError, match="has 1 cell "):
        list(table.read(path))
    (tmp_path / "mine.jsonl").write_text('{"text": "a", "spam": 1}\n{"text": "b", "ham": 1}\n')
    assert dataset(tmp_path / "mine.jsonl").labels == ("spam", "ham")


def test_a_jsonl_file_that_is_not_json_names_its_line(tmp_path: Path) -> None:
    path = tmp_path / "mine.jsonl"
    path.write_text('{"text": "a"}\n{oops\n')
    with pytest.raises(TableError, match="Line 2"):
        list(dataset(path).read(path))


def test_posts_are_named_and_read_as_they_are_for_scoring(tmp_path: Path) -> None:
    """So that what a run predicts for them is found again by `crossguard evaluate --scores`."""
    path = tmp_path / "mine.csv"
    path.write_text("tweet,img,lang,spam\nhello,a.png,1,0\n\n,b.png,0,1\n")
    rows = list(dataset(path).read(path))
    assert [(row.id, row.text, row.image) for row in rows] == [
        ("line-2", "hello", tmp_path / "a.png"),
        ("line-4", "", tmp_path / "b.png"),
    ]
    assert [row.id for row in rows] == [post.id for post in PostReader(path)]
    assert [row.labels for row in rows] == [{"lang": 1.0, "spam": 0.0}, {"lang": 0.0, "spam": 1.0}]


def test_numbers_are_names_and_a_missing_text_is_empty(tmp_path: Path) -> None:
    table = pa.table({"id": [7, 8], "text": pa.array([None, "hello"]), "spam": [None, 0.25], "hateful": [None, 0.5]})
    pq.write_table(table, tmp_path / "mine.parquet")
    first, second = dataset(tmp_path / "mine.parquet").read(tmp_path / "mine.parquet")
    assert (first.id, first.text, first.annotated) == ("7", "", False)
    assert (second.id, second.text, second.hateful, second.annotated) == ("8", "hello", 0.5, True)


def test_a_folder_and_an_arrow_file_are_read_as_they_are_for_evaluation(tmp_path: Path) -> None:
    (tmp_path / "parts").mkdir()
    for number in (1, 2):
        (tmp_path / "parts" / f"{number}.jsonl").write_text(f'{{"id": "{number}", "text": "hello", "spam": 1}}\n')
    table = pa.table({"id": ["3"], "text": ["bye"], "spam": [0.5]})
    with pa.ipc.new_file(tmp_path / "mine.arrow", table.schema) as sink:
        sink.write_table(table)
    read = {path: list(dataset(tmp_path / path).read(tmp_path / path)) for path in ("parts", "mine.arrow")}
    assert [(row.id, row.labels) for row in read["parts"]] == [("1", {"spam": 1.0}), ("2", {"spam": 1.0})]
    assert [(row.id, row.labels) for row in read["mine.arrow"]] == [("3", {"spam": 0.5})]


def test_a_wrong_value_is_named_by_row_and_id_as_evaluate_names_it(tmp_path: Path) -> None:
    (tmp_path / "mine.csv").write_text("id,text,spam\na,hello,yes\nb,bye,perhaps\n")
    with pytest.raises(TableError, match=r"not: Row 2 \('b'\): 'spam' is 'perhaps'\. If"):
        list(dataset(tmp_path / "mine.csv").read(tmp_path / "mine.csv"))


def test_all_wrong_values_are_counted_and_the_columns_that_are_labels_can_be_named(tmp_path: Path) -> None:
    path = tmp_path / "mine.csv"
    path.write_text("id,text,lang,racist,sexist\n" + "".join(f"{n},hello {n},en,{n % 2},maybe\n" for n in range(200)))
    with pytest.raises(TableError) as caught:
        list(dataset(path).read(path))
    assert "400 cells" in str(caught.value)
    assert "Row 1 ('0'): 'lang' is 'en'" in str(caught.value)
    assert "and 397 more" in str(caught.value)
    assert "by column: 'lang' 200, 'sexist' 200" in str(caught.value)
    assert str(caught.value).endswith("crossguard prepare table --label 'racist'")
    chosen = dataset(path, ["racist"])
    assert chosen.labels == ("racist",)
    assert [row.labels for row in chosen.read(path)][:2] == [{"racist": 0.0}, {"racist": 1.0}]
    with pytest.raises(TableError, match=r"no column 'racism' for a label.*Did you mean 'racist'"):
        dataset(path, ["racism"])


def test_an_image_inside_the_table_is_not_dropped_in_silence(tmp_path: Path) -> None:
    pq.write_table(pa.table({"text": ["a"], "image": [b"\x89PNG"], "spam": [1]}), tmp_path / "mine.parquet")
    with pytest.raises(TableError, match="reads images from files"):
        list(dataset(tmp_path / "mine.parquet").read(tmp_path / "mine.parquet"))


def test_an_image_in_a_data_url_is_no_missing_file(tmp_path: Path) -> None:
    path = tmp_path / "posts.csv"
    path.write_text('id,text,image_path,racist\na,hello,"data:image/png;base64,AAAA",1\n')
    with pytest.raises(TableError, match=r"Row 1 \('a'\) holds its image itself"):
        list(dataset(path).read(path))
