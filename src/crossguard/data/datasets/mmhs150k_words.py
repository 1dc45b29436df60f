"""Words of MMHS150K's official training posts as far as they are published: no image, and no category."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from crossguard.data.datasets.raw import read_jsonl, require, split_by_hash
from crossguard.data.datasets.rows import Dataset, Row
from crossguard.labels import HATE

VALIDATION: Final = 10
SHORTEST: Final = 20
MAJORITY: Final = "majority"


def read(raw: Path) -> Iterator[Row]:
    """Yields posts with words in their image, as training posts, and those with their tweet, as a test split.

    The tweets stay out of training: with `any_hate` as `hateful`, they are posts of this set that no weight knows.
    """
    for entry in read_jsonl(require(raw, "train_ocr_binary.jsonl")):
        words, tweet = entry.get("img_text") or "", entry.get("tweet_text") or ""
        share = entry.get("majority_hate")
        majority = None if share is None else float(share)
        labels = {} if majority is None else {MAJORITY: majority}
        if tweet:
            some = entry.get("any_hate")
            hateful = None if some is None else float(some)
            yield Row(entry["id"], tweet, words, None, "test", labels, hateful, "tweet", annotated=hateful is not None)
        else:
            split = split_by_hash(words, VALIDATION)
            stratum = "hate" if majority else "none"
            known = majority is not None and len(words) >= SHORTEST
            yield Row(entry["id"], "", words, None, split, labels, majority or None, stratum, annotated=known)


DATASET = Dataset(
    "mmhs150k-words",
    (MAJORITY, *HATE.names),
    read,
    "train_ocr_binary.jsonl with id, img_text, tweet_text, majority_hate, any_hate",
    "Gomez et al., WACV 2020; research use. Words in images from a GPL-3 repository",
    "`majority_hate` is 0 where a public list of hateful ids lacks a post; words in an image alone decide little.",
)
