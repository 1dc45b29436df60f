"""Datasets of images with words: memes, and tweets with an image."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from crossguard.data.datasets.raw import entries, require, split_by_hash
from crossguard.data.datasets.rows import Dataset, Row
from crossguard.data.datasets.text import HARMLESS, STRATA
from crossguard.labels import HATE

# With fewer letters, the words of an image say nothing.
SHORTEST: Final = 20
MAJORITY: Final = "majority"
# In the place of a label that a challenge keeps to itself.
WITHHELD: Final = -1


def mmhs150k(raw: Path) -> Iterator[Row]:
    """Yields every id of the split files (Gomez et al., WACV 2020); one without an entry is not annotated."""
    annotations = json.loads(require(raw, "MMHS150K_GT.json").read_text(encoding="utf-8"))
    splits = require(raw, "splits")
    for split in ("train", "val", "test"):
        for id_ in require(splits, f"{split}_ids.txt").read_text(encoding="utf-8").split():
            entry = annotations.get(id_)
            yield Row(id_, split=split, annotated=False) if entry is None else _tweet(raw, id_, split, entry)


def _tweet(raw: Path, id_: str, split: str, entry: dict[str, Any]) -> Row:
    votes = entry["labels"]
    # 0 is no hate, so label `k` has id `k + 1`.
    shares = {name: votes.count(number) / len(votes) for number, name in enumerate(HATE.names, start=1)}
    hateful = sum(vote != 0 for vote in votes) / len(votes)
    words = raw / "img_txt" / f"{id_}.json"
    said = json.loads(words.read_text(encoding="utf-8")).get("img_text", "") if words.is_file() else ""
    image = raw / "img_resized" / f"{id_}.jpg"
    return Row(id_, entry["tweet_text"], str(said), image, split, shares, hateful, STRATA[bool(hateful)])


def mmhs150k_words(raw: Path) -> Iterator[Row]:
    """Yields posts with words in their image, as training posts, and those with their tweet, as a test split.

    They are official training posts of MMHS150K as far as they are published: no image, and no category. The tweets
    stay out of training: with `any_hate` as `hateful`, they are posts of this set that no weight knows.
    """
    for entry in entries(raw, "train_ocr_binary.jsonl"):
        words, tweet = entry.get("img_text") or "", entry.get("tweet_text") or ""
        majority, some = (None if entry.get(f"{kind}_hate") is None else float(entry[f"{kind}_hate"])
                          for kind in ("majority", "any"))  # fmt: skip
        labels = {} if majority is None else {MAJORITY: majority}
        if tweet:
            yield Row(entry["id"], tweet, words, None, "test", labels, some, "tweet", annotated=some is not None)
        else:
            split, stratum = split_by_hash(words, 10), STRATA[bool(majority)]
            known = majority is not None and len(words) >= SHORTEST
            yield Row(entry["id"], "", words, None, split, labels, majority or None, stratum, annotated=known)


def hateful_memes(raw: Path) -> Iterator[Row]:
    """Yields memes (Kiela et al., NeurIPS 2020); memes whose labels are withheld are not annotated."""
    require(raw, "img")
    for split, name in (("train", "train.jsonl"), ("val", "dev_seen.jsonl"), ("test", "test_seen.jsonl")):
        for entry in entries(raw, name):
            labels = {"hateful_meme": float(entry["label"])} if entry.get("label", WITHHELD) != WITHHELD else {}
            hateful, image = labels.get("hateful_meme"), raw / str(entry["img"])
            yield Row(str(entry["id"]), "", str(entry["text"]), image, split, labels, hateful, annotated=bool(labels))


def harmeme(raw: Path) -> Iterator[Row]:
    """Yields memes about Covid-19 (Pramanick et al., Findings of ACL 2021), of `test.jsonl` too where it is there.

    A meme that is not harmful is not hateful either; whether a harmful one is, nobody says.
    """
    require(raw, "images")
    for split in ("train", "val", *(["test"] if (raw / "test.jsonl").is_file() else [])):
        for entry in entries(raw, f"{split}.jsonl"):
            grade, image = entry["labels"][0], raw / "images" / entry["image"]
            harmful = grade != "not harmful"
            labels, hateful = ({"harm": 1.0}, None) if harmful else ({"harm": 0.0, **HARMLESS}, 0.0)
            yield Row(str(entry["id"]), "", entry["text"], image, split, labels, hateful, grade)


def religious_memes(raw: Path) -> Iterator[Row]:
    """Yields memes about religion; a hateful one carries `religion` and leaves the other labels unknown."""
    require(raw, "images")
    for entry in entries(raw, "labels.jsonl"):
        hateful, id_ = float(entry["label"]), str(entry["id"])
        labels, image = {"religion": 1.0} if hateful else HARMLESS, raw / "images" / entry["image"]
        split = split_by_hash(id_, 15)
        yield Row(id_, "", entry["text"], image, split, labels, hateful, STRATA[bool(hateful)])


DATASETS: Final = (
    Dataset("mmhs150k", HATE.names, mmhs150k,
            "MMHS150K_GT.json, splits/{train,val,test}_ids.txt, img_resized/ID.jpg, img_txt/ID.json",
            "Gomez et al., WACV 2020; research use",
            "Collected by 51 slur keywords; annotators agree little (Fleiss kappa 0.20); reclaimed words are often "
            "labelled."),
    Dataset("mmhs150k-words", (MAJORITY, *HATE.names), mmhs150k_words,
            "train_ocr_binary.jsonl with id, img_text, tweet_text, majority_hate, any_hate",
            "Gomez et al., WACV 2020; research use. Words in images from a GPL-3 repository",
            "`majority_hate` is 0 where a public list of hateful ids lacks a post; words in an image alone decide "
            "little."),
    Dataset("hateful-memes", ("hateful_meme",), hateful_memes,
            "img/, train.jsonl, dev_seen.jsonl, test_seen.jsonl with id, img, label, text",
            "Kiela et al., NeurIPS 2020; licence of the Hateful Memes challenge",
            "Memes were composed by annotators, with benign confounders; their style is not that of found memes."),
    Dataset("harmeme", ("harm", *HATE.names), harmeme,
            "images/, train.jsonl, val.jsonl[, test.jsonl] with id, image, labels, text",
            "Pramanick et al., Findings of ACL 2021; research use",
            "Harm is wider than hate: memes against politicians and organisations count."),
    Dataset("religious-memes", HATE.names, religious_memes, "images/, labels.jsonl with id, image, label, text",
            "public repost without a stated licence; research use",
            "One source and few religions; memes of one template recur."),
)  # fmt: skip
