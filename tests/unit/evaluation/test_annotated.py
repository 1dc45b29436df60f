from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from crossguard.data.tables import PostReader
from crossguard.errors import TableError
from crossguard.evaluation.annotated import join, read_annotated, read_posts

ROWS: list[dict[str, Any]] = [
    {"id": "1", "text": "one", "racist": 1, "sexist": None, "split": "val", "group": "x"},
    {"id": "2", "text": "two", "racist": 0.34, "sexist": 0, "split": "test", "group": ""},
]
LABELS = ("racist", "sexist")


def write(folder: Path, kind: str, rows: list[dict[str, Any]]) -> Path:
    path = folder / f"posts.{kind}"
    if kind == "jsonl":
        path.write_text("\n".join(json.dumps(row) for row in rows), encoding="utf-8")
    elif kind == "parquet":
        pq.write_table(pa.Table.from_pylist(rows), path)
    else:
        lines = [",".join(rows[0])] + [",".join("" if v is None else str(v) for v in row.values()) for row in rows]
        path.write_text("\n".join(lines), encoding="utf-8")
    return path


@pytest.mark.parametrize("kind", ["jsonl", "csv", "parquet"])
def test_every_format_gives_the_same_posts(tmp_path: Path, kind: str) -> None:
    found = read_annotated(write(tmp_path, kind, ROWS), LABELS)
    assert found.ids == ("1", "2")
    np.testing.assert_array_equal(found.truth, [[1, np.nan], [0, 0]])
    assert np.isnan(found.hateful).all()
    assert found.columns["group"] == ("x", "")


@pytest.mark.parametrize("words", [True, False])
def test_posts_with_the_same_words_are_known_as_such(tmp_path: Path, words: bool) -> None:
    texts = ["Go home", "go  HOME!", "stay", "", "", "https://t.co/1 go home"]
    rows = [{"id": str(row), "text": text, "racist": 0} for row, text in enumerate(texts)]
    found = read_annotated(write(tmp_path, "jsonl", rows), LABELS, words=words)
    scores = np.zeros((6, 2))
    assert found.sample(scores).owners.tolist() == [0, 0, 1, 2, 3, 0]
    assert found.take(np.array([2, 1, 0])).sample(scores[:3]).owners.tolist() == [0, 1, 1]
    assert join([found, found]).sample(np.zeros((12, 2))).owners.tolist() == [0, 0, 1, 2, 3, 0] * 2


def test_vote_fractions_become_answers_at_the_given_value(tmp_path: Path) -> None:
    path = write(tmp_path, "jsonl", ROWS)
    lower = read_annotated(path, LABELS, positive_from=0.3)
    assert (lower.truth[:, 0].tolist(), lower.positive_from, join([lower]).positive_from) == ([1, 1], 0.3, 0.3)


def test_what_is_not_read_of_a_post_is_kept_by_parts_and_joins(tmp_path: Path) -> None:
    table = tmp_path / "posts.csv"
    table.write_text("title,text,racist\na,b,1\na,c,0\n")
    found = read_annotated(table, LABELS)
    (note,) = found.take(np.array([0])).unread
    assert note.startswith("column 'title' is not scored")
    assert join([found, found]).unread == (note,)


@pytest.mark.parametrize("words", [True, False])
def test_posts_without_an_answer_and_blank_ones_need_no_score(tmp_path: Path, words: bool) -> None:
    table = tmp_path / "posts.csv"
    rows = ("a,,1,", " ,,1,", ",x.png,1,", "b,,,", "c,,,0")
    table.write_text("text,image_path,racist,hateful\n" + "\n".join(rows))
    found = read_annotated(table, LABELS, words=words, images=words)
    assert found.needless.tolist() == [False, True, False, True, False]
    assert found.take(np.array([1, 2])).needless.tolist() == [True, False]


def test_posts_of_a_table_without_any_column_of_them_are_not_taken_for_blank(tmp_path: Path) -> None:
    path = tmp_path / "answers.csv"
    path.write_text("id,racist\n1,1\n2,0\n3,\n")
    assert read_annotated(path, ["racist"], scored=False).needless.tolist() == [False, False, True]


def test_a_table_of_which_no_column_can_be_scored_is_refused_with_what_it_has(tmp_path: Path) -> None:
    path = tmp_path / "posts.csv"
    path.write_text("id,Kommentar,racist,hateful\n1,hello there,1,1\n2,bye,0,0\n")
    told = r"none of the columns text, .*\. It has: Kommentar\. To read one: rename it to 'text'"
    with pytest.raises(TableError, match=told):
        read_annotated(path, ["racist", "sexist"])
    assert len(read_annotated(path, ["racist", "sexist"], scored=False)) == 2
    path.write_text("id,text,racist\n1,,1\n2,,0\n")
    assert len(read_annotated(path, ["racist"])) == 2, "empty texts are told post by post"


@pytest.mark.parametrize(("header", "told"), [("Kommentar", ["Kommentar"]), ("text", []), ("place", [])])
def test_words_without_a_known_column_are_told_beside_images(tmp_path: Path, header: str, told: list[str]) -> None:
    path = tmp_path / "posts.csv"
    words = "New York" if header == "place" else "what they said there"
    path.write_text(f"image_path,{header},racist,split\na.png,{words},1,test\nb.png,{words},0,test\nc.png,,0,test\n")
    notes = read_annotated(path, ["racist"]).notes
    assert notes == [
        f"column '{name}' holds words, and no column is the text; if people read them with the images: "
        "rename it to 'text'"
        for name in told
    ]


def test_a_cell_that_is_no_answer_is_told_once_where_the_label_is_hateful(tmp_path: Path) -> None:
    table = tmp_path / "posts.csv"
    table.write_text("text,hateful\na,1\nb,often\n")
    with pytest.raises(TableError, match="1 cell must be a number"):
        read_annotated(table, ("hateful",))


def test_a_split_is_kept_or_the_known_ones_named(tmp_path: Path) -> None:
    path = write(tmp_path, "csv", ROWS)
    assert read_annotated(path, LABELS, split="test").ids == ("2",)
    assert [post.id for post in read_posts(path, "val")] == ["1"]
    with pytest.raises(TableError, match=r"no row of split 'vall'. Did you mean 'val'\?"):
        read_annotated(path, LABELS, split="vall")
    path.write_text("text,racist,split\na,1,test\nb,1,test \nc,0, test\nd,0,\n")
    assert len(read_annotated(path, LABELS, split="test")) == 3
    path.write_text("text,racist\na,1\n")
    with pytest.raises(TableError, match="has no column 'split'"):
        read_annotated(path, LABELS, split="val")


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (
            [{"id": "1", "text": "a", "racist": 3}],
            r"must be a number from 0 to 1.* not: Row 1 \('1'\): 'racist' is 3",
        ),
        ([{"id": "1", "text": "a", "racist": "maybe"}], r"not: Row 1 \('1'\): 'racist' is 'maybe'"),
        (
            [{"id": "1", "text": "a", "toxic": 1}],
            "no column of a label.* It has: id, text, toxic.*--hateful-column NAME",
        ),
        ([], "is empty"),
    ],
)
def test_what_cannot_be_measured_is_refused(tmp_path: Path, rows: list[dict[str, Any]], message: str) -> None:
    with pytest.raises(TableError, match=message):
        read_annotated(write(tmp_path, "jsonl", rows), LABELS)


@pytest.mark.parametrize(("weights", "told"), [((1, 100), 1), ((1, 1), 0), (([1], [2]), 1)])
def test_weights_that_are_not_used_are_told(tmp_path: Path, weights: tuple[object, object], told: int) -> None:
    rows = [{"text": str(n), "racist": n, "weight": weight} for n, weight in enumerate(weights)]
    said = read_annotated(write(tmp_path, "jsonl", rows), LABELS).notes
    assert ["'weight' is not used" in note for note in said] == [True] * told


def test_a_label_in_another_case_is_not_left_out_in_silence(tmp_path: Path) -> None:
    with pytest.raises(TableError, match=r"a column 'Sexist'. If it holds the label 'sexist', call it 'sexist'"):
        read_annotated(write(tmp_path, "jsonl", [{"text": "a", "racist": 1, "Sexist": 0}]), LABELS)
    with pytest.raises(TableError, match=r"a column 'Racist'. If it holds the label 'racist', call it 'racist'"):
        read_annotated(write(tmp_path, "jsonl", [{"text": "a", "Racist": 1, "Sexist": 0}]), LABELS)


@pytest.mark.parametrize("name", ["racist", "hateful", "group"])
def test_a_column_that_stands_twice_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "a.csv").write_text("text,racist,group\na,1,x\n")
    (tmp_path / "b.csv").write_text(f"text,racist,{name},{name}\na,1,0,1\n")
    for path in (tmp_path / "b.csv", tmp_path):
        with pytest.raises(TableError, match=f"has the column '{name}' twice; rename one"):
            read_annotated(path, LABELS)


def test_columns_without_names_are_not_asked_for_and_may_be_several(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("text,racist,,\na,1,x,y\nb,0,,\n")
    assert {len(values) for values in read_annotated(tmp_path / "a.csv", LABELS).columns.values()} == {2}


def test_tables_of_a_folder_may_differ_in_their_columns(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("text,racist,early\na,1,1\nb,0,2\n")
    (tmp_path / "b.csv").write_text("text,racist,group\nc,1,x\n")
    (tmp_path / "c.csv").write_text("text,racist,early\nd,1,4\n")
    found = read_annotated(tmp_path, LABELS)
    assert found.columns == {"early": ("1", "2", None, "4"), "group": (None, None, "x", None)}
    assert found.take(np.array([2])).columns == {"early": (None,), "group": ("x",)}


def test_the_question_whether_a_post_is_hateful_is_no_label(tmp_path: Path) -> None:
    with pytest.raises(TableError, match="A label cannot be called 'any'"):
        read_annotated(write(tmp_path, "csv", [{"text": "one", "any": 1}]), ("any",))


def test_a_column_that_was_asked_for_must_be_there(tmp_path: Path) -> None:
    path = write(tmp_path, "jsonl", [{"text": "a", "racist": 1}, {"text": "b", "racist": 0, "harm": 1}])
    assert np.isnan(read_annotated(path, LABELS, hateful_column="harm").hateful).tolist() == [True, False]
    with pytest.raises(TableError, match=r"no column 'rascist'. Did you mean 'racist'\?"):
        read_annotated(path, LABELS, hateful_column="rascist")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.jsonl", '{"id": 1, "racist": 1}\n{', "Line 2: not valid JSON"),
        ("a.jsonl", "[1]", "Line 1: an object like"),
        ("a.csv", "id,text,racist\n1,a", "Line 2: has 2 cells where the header has 3"),
        ("a.txt", "x", "no column of a label"),
        ("a.parquet", "x", "cannot be read as Parquet"),
    ],
)
def test_a_table_that_cannot_be_read_names_the_place(tmp_path: Path, name: str, content: str, message: str) -> None:
    path = tmp_path / name
    path.write_text(content, encoding="utf-8")
    with pytest.raises(TableError, match=message):
        read_annotated(path, LABELS)


def test_a_missing_table_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(TableError, match="Cannot read"):
        read_posts(tmp_path / "nowhere.csv")


def test_images_can_be_left_aside(tmp_path: Path) -> None:
    path = write(tmp_path, "jsonl", [{"id": "1", "text": "a", "image_path": "gone.png", "racist": 1}])
    assert read_annotated(path, LABELS).posts[0].image is not None
    assert read_annotated(path, LABELS, images=False).posts[0].image is None


def test_posts_without_ids_have_the_names_under_which_they_are_scored(tmp_path: Path) -> None:
    path = tmp_path / "posts.csv"
    path.write_text("text,racist\na,1\nb,0\n", encoding="utf-8")
    assert read_annotated(path, LABELS).ids == tuple(post.id for post in PostReader(path)) == ("line-2", "line-3")


@pytest.mark.parametrize("limit", [0.1, 0.3, 0.6, 0.7, 0.9])
def test_a_limit_holds_for_numbers_of_32_bits_too(tmp_path: Path, limit: float) -> None:
    """As `crossguard prepare` writes them: 0.7 in 32 bits is less than 0.7."""
    shares = pd.DataFrame({"text": "words", "racist": [0.0, 0.1, 0.3, 0.6, 0.7, 0.9, 1.0]})
    shares.to_csv(tmp_path / "wide.csv")
    shares.astype({"racist": "float32"}).to_parquet(tmp_path / "narrow.parquet")
    wide, narrow = (
        read_annotated(tmp_path / name, ("racist",), positive_from=limit) for name in ("wide.csv", "narrow.parquet")
    )
    assert wide.truth.tolist() == narrow.truth.tolist() == [[float(share >= limit)] for share in shares["racist"]]


def test_an_image_root_holds_for_a_folder_of_tables(tmp_path: Path, red: bytes) -> None:
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "a.png").write_bytes(red)
    (tmp_path / "tables").mkdir()
    for name in ("x.csv", "y.csv"):
        (tmp_path / "tables" / name).write_text("image_path,racist\na.png,1\n", encoding="utf-8")
    found = read_annotated(tmp_path / "tables", ("racist",), image_root=tmp_path / "images")
    assert [Path(str(post.image)) for post in found.posts] == [tmp_path / "images" / "a.png"] * 2
    found = read_annotated(tmp_path / "tables", ("racist",))
    assert [Path(str(post.image)) for post in found.posts] == [tmp_path / "tables" / "a.png"] * 2
