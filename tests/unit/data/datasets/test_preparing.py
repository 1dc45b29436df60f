"""Public datasets become tables; what is wrong with them is said."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

from crossguard.data.datasets.chunks import lost_images
from crossguard.data.datasets.generic import dataset
from crossguard.data.datasets.preparing import prepare
from crossguard.data.datasets.registry import DATASETS, find
from crossguard.data.storage import Storage
from crossguard.errors import TableError

FOLDERS = {
    "mmhs150k": "MMHS150K",
    "mmhs150k-words": "MMHS150K",
    "harmeme": "harmeme",
    "religious-memes": "religious_memes",
    "jigsaw": "toxicity",
    "civil": "toxicity",
}
EXPECTED = {
    "mmhs150k": 5023,
    "harmeme": 3190,
    "religious-memes": 1827,
    "davidson": 24783,
    "edos": 20000,
    "ethos": 433,
    "tweeteval-hate": 10000,
    "hatemoji-build": 5319,
    "toxigen": 722,
    "stormfront": 10703,
    "misogyny": 6567,
    "mlma": 1929,
    "olid": 13240,
    "mmhs150k-words": 36168,
    "jigsaw": 64826,
    "civil": 15829,
    "surge": 1000,
}


def picture(path: Path, seed: int = 0) -> Path:
    pixels = np.random.default_rng(seed).integers(0, 256, size=(6, 6, 3)).astype(np.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).resize((60, 60)).save(path)
    return path


def raw_mmhs150k(folder: Path) -> Path:
    entries = {
        "10": {"tweet_text": "one", "labels": [1, 0, 2]},
        "11": {"tweet_text": "One!", "labels": [0, 0, 0]},
        "12": {"tweet_text": "two", "labels": [5, 5, 5]},
    }
    (folder / "splits").mkdir(parents=True)
    (folder / "img_txt").mkdir()
    (folder / "MMHS150K_GT.json").write_text(json.dumps(entries))
    for split, ids in (("train", "10\n99\n"), ("val", "11\n"), ("test", "12\n")):
        (folder / "splits" / f"{split}_ids.txt").write_text(ids)
    (folder / "img_txt" / "10.json").write_text(json.dumps({"img_text": "words"}))
    picture(folder / "img_resized" / "10.jpg")
    picture(folder / "img_resized" / "11.jpg")
    (folder / "img_resized" / "12.jpg").write_bytes(b"not a picture")
    return folder


def test_an_annotation_without_votes_is_not_as_published(tmp_path: Path) -> None:
    raw = raw_mmhs150k(tmp_path / "raw")
    (raw / "MMHS150K_GT.json").write_text(json.dumps({"10": {"tweet_text": "one", "labels": []}}))
    with pytest.raises(TableError, match="differs from 'mmhs150k' as published: division by zero"):
        prepare(find("mmhs150k"), raw, tmp_path / "t.parquet")


def test_label_ids_of_mmhs150k_start_at_one(tmp_path: Path) -> None:
    report = prepare(find("mmhs150k"), raw_mmhs150k(tmp_path / "raw"), tmp_path / "t.parquet", 1.0)
    table = pq.read_table(tmp_path / "t.parquet").to_pylist()
    assert [row["id"] for row in table] == ["10", "11", "12"]
    assert table[0]["racist"] == pytest.approx(1 / 3)
    assert table[0]["sexist"] == pytest.approx(1 / 3)
    assert table[2]["otherhate"] == 1
    assert table[0]["image_text"] == "words"
    assert report.not_annotated == {"train": 1}


def test_the_report_names_what_is_wrong(tmp_path: Path) -> None:
    report = prepare(find("mmhs150k"), raw_mmhs150k(tmp_path / "raw"), tmp_path / "t.parquet", 1.0)
    assert list(report.broken_images.values()) == ["image_not_an_image"]
    assert report.duplicate_texts == {}  # the words of the pictures differ
    assert report.alike_images == {"train-val": 1}
    assert report.images == {"train": 1, "val": 1}
    assert report.image_text == {"train": 1.0, "val": 0.0, "test": 0.0}
    assert report.labels["train"]["racist"] == pytest.approx(1 / 3, abs=1e-4)
    assert json.loads(json.dumps(report.to_dict()))["dataset"] == "mmhs150k"
    rows = {row["id"]: row for row in pq.read_table(tmp_path / "t.parquet").to_pylist()}
    assert rows["12"]["image_path"] == ""


def test_hateful_memes_layout(tmp_path: Path) -> None:
    picture(tmp_path / "img" / "1.png")
    for name, label in (("train", {"label": 1}), ("dev_seen", {"label": 0}), ("test_seen", {})):
        (tmp_path / f"{name}.jsonl").write_text(json.dumps({"id": 1, "img": "img/1.png", "text": "t", **label}))
    report = prepare(find("hateful-memes"), tmp_path, tmp_path / "t.parquet")
    assert report.posts == {"train": 1, "val": 1}
    assert report.not_annotated == {"test": 1}
    assert report.labels == {"train": {"hateful_meme": 1.0}, "val": {"hateful_meme": 0.0}}


@pytest.mark.parametrize(("label", "shown"), [(2, "2.0"), (-0.5, "-0.5"), (float("nan"), "nan")])
def test_a_label_that_is_no_share_is_told(tmp_path: Path, label: float, shown: str) -> None:
    (tmp_path / "images").mkdir()
    (tmp_path / "labels.jsonl").write_text(json.dumps({"id": 7, "image": "7.png", "text": "t", "label": label}))
    told = f"differs from 'religious-memes' as published: 'hateful' of the post '7' is {shown}, and labels are from 0"
    with pytest.raises(TableError, match=told):
        prepare(find("religious-memes"), tmp_path, tmp_path / "t.parquet", 1.0)
    assert not (tmp_path / "t.parquet").exists()


@pytest.mark.parametrize("name", DATASETS)
def test_a_wrong_folder_is_explained(name: str, tmp_path: Path) -> None:
    with pytest.raises(TableError, match="does not hold"):
        list(find(name).read(tmp_path))


@pytest.mark.parametrize("name", EXPECTED)
def test_real_folders_are_read_whole(shared_data: Path, name: str) -> None:
    rows = [row for row in find(name).read(shared_data / FOLDERS.get(name, "text")) if row.annotated]
    assert len(rows) == EXPECTED[name]
    assert len({row.id for row in rows}) == len(rows)
    assert all(0 <= share <= 1 for row in rows for share in row.labels.values())
    assert {row.split for row in rows} <= {"train", "val", "test"}
    assert all(set(row.labels) <= set(find(name).labels) for row in rows)


def test_attributes_of_a_comment_say_what_they_can_of_hate(tmp_path: Path) -> None:
    (tmp_path / "train.csv").write_text(
        "id,comment_text,toxic,severe_toxic,obscene,threat,insult,identity_hate\n"
        "1,thanks for the edit,0,0,0,0,0,0\n"
        "2,you idiot,1,0,0,0,1,0\n"
        "3,those women are idiots,1,,,,,\n"
        "4,an attack on a group,1,0,0,0,1,1\n"
    )
    rows = list(find("jigsaw").read(tmp_path))
    assert [row.hateful for row in rows] == [0, 0, None, 1]
    assert rows[1].labels["insult"] == 1
    assert rows[1].labels["sexist"] == 0
    assert rows[2].labels == {"toxicity": 1}
    assert "racist" not in rows[3].labels


def test_a_table_whose_image_paths_do_not_resolve_is_refused(tmp_path: Path) -> None:
    picture(tmp_path / "images" / "0.png")
    path, out = tmp_path / "mine.csv", tmp_path / "t.parquet"
    rows = [f"{number},hello {number},images/images/{number}.png,train,1" for number in range(10)]
    path.write_text("\n".join(["id,text,image_path,split,spam", *rows]))
    with pytest.raises(TableError, match=r"10 of 10 images cannot be read.*at most 2%.*images/images/0.png"):
        prepare(dataset(path), path, out)
    assert not out.exists()
    report = prepare(dataset(path), path, out, max_missing_images=1)
    assert report.missing_images == {"train": 10}
    place = Storage(str(out))
    assert (lost_images(place, ("train",)), lost_images(place, ("val",))) == (10, 0)


def test_copies_in_two_splits_are_told_whatever_their_ids(tmp_path: Path) -> None:
    image = picture(tmp_path / "a.png", 1)
    lines = [
        f"{n},some words {n} https://t.co/{split},{image},1,{split}" for split in ("train", "test") for n in range(3)
    ]
    (tmp_path / "leak.csv").write_text("id,text,image_path,racist,split\n" + "\n".join(lines) + "\n")
    report = prepare(dataset(tmp_path / "leak.csv", ["racist"]), tmp_path / "leak.csv", tmp_path / "t.parquet")
    assert report.duplicate_texts == {"test-train": 3}
    assert report.alike_images == {"test-train": 3}
    assert report.duplicate_ids == ["0", "1", "2"]


@pytest.mark.parametrize(
    ("rows", "told"), [(",kind,tweet\n0,2,hello\n", "'class'"), (",class,tweet\n0,3,hello\n", "'3'")]
)
def test_raw_data_of_another_shape_are_told(rows: str, told: str, tmp_path: Path) -> None:
    (tmp_path / "davidson.csv").write_text(rows)
    with pytest.raises(TableError, match=f"differs from 'davidson' as published: {told}.*labeled_data.csv"):
        prepare(find("davidson"), tmp_path, tmp_path / "t.parquet")


def test_a_cell_of_another_kind_is_told(tmp_path: Path) -> None:
    (tmp_path / "jigsaw_wiki_train_raw.csv").write_text(
        "id,comment_text,toxic,severe_toxic,insult,threat,obscene,identity_hate\n1,hello,no,0,0,0,0,0\n"
    )
    with pytest.raises(TableError, match=r"differs from 'jigsaw' as published: .*'no'.*train\.csv"):
        prepare(find("jigsaw"), tmp_path, tmp_path / "t.parquet")


def test_an_address_in_the_web_is_no_missing_file(tmp_path: Path) -> None:
    (tmp_path / "mine.csv").write_text("text,image_path,spam\nhello,https://example.org/1.png,1\n")
    with pytest.raises(TableError, match=r"example\.org/1\.png \(addresses are not fetched\)"):
        prepare(dataset(tmp_path / "mine.csv"), tmp_path / "mine.csv", tmp_path / "t.parquet")


def test_copies_in_one_split_whose_name_has_a_dash_are_not_told(tmp_path: Path) -> None:
    path = tmp_path / "mine.csv"
    path.write_text("text,racist,split\nsome words,1,in-train\nsome words,1,in-train\n", encoding="utf-8")
    assert prepare(dataset(path, ["racist"]), path, tmp_path / "t.parquet").duplicate_texts == {}


def test_posts_with_neither_text_nor_image_are_counted(tmp_path: Path) -> None:
    path = tmp_path / "mine.csv"
    path.write_text("text,image_path,split,racist\nwords,,train,1\n ,,train,0\n,gone.png,val,0\n", encoding="utf-8")
    report = prepare(dataset(path, ["racist"]), path, tmp_path / "t.parquet", 1.0)
    assert report.blank == {"train": 1, "val": 1}
    assert report.posts == {"train": 2, "val": 1}
