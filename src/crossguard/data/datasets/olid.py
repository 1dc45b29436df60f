"""Tweets that are offensive or not (Zampieri et al., SemEval 2019, through TweetEval)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from crossguard.data.datasets.raw import read_lines, require
from crossguard.data.datasets.rows import Dataset, Row
from crossguard.labels import HATE


def read(raw: Path) -> Iterator[Row]:
    """Yields the tweets; an offensive one need not be hateful, so only harmless ones say something of the labels."""
    for split in ("train", "val"):
        texts = read_lines(require(raw, f"tweeteval_offensive_{split}_text.txt"))
        labels = read_lines(require(raw, f"tweeteval_offensive_{split}_labels.txt"), len(texts))
        for number, (text, label) in enumerate(zip(texts, labels, strict=True)):
            offensive = float(label)
            known = {} if offensive else dict.fromkeys(HATE.names, 0.0)
            stratum = "offensive" if offensive else "none"
            hateful = None if offensive else 0.0
            yield Row(f"{split}-{number}", text, "", None, split, known | {"toxicity": offensive}, hateful, stratum)


DATASET = Dataset(
    "olid",
    (*HATE.names, "toxicity"),
    read,
    "tweeteval_offensive_{train,val}_{text,labels}.txt",
    "Zampieri et al., SemEval 2019, through TweetEval (Barbieri et al., 2020)",
    "Offensive includes untargeted profanity; many tweets are about politics in the United States.",
)
