"""Tweets about immigrants and women, hateful or not (Basile et al., SemEval 2019, through TweetEval)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from crossguard.data.datasets.raw import read_lines, require
from crossguard.data.datasets.rows import Dataset, Row
from crossguard.labels import HATE

# The annotation does not say which of its two targets a tweet is about; its words often do.
IMMIGRANTS: Final = re.compile(
    r"immigra|migrant|refugee|border|buildth|wall|illegal|deport|asylum|daca|sendthemback|muslim|islam", re.IGNORECASE
)
WOMEN: Final = re.compile(
    r"\bbitch|whore|\bhoe|women|woman|\bcunt|slut|skank|girl|feminis|\bshe\b|\bher\b|rape|pussy", re.IGNORECASE
)


def read(raw: Path) -> Iterator[Row]:
    """Yields the tweets of the train and validation files."""
    for split in ("train", "val"):
        texts = read_lines(require(raw, f"tweeteval_hate_{split}_text.txt", f"{split}_text.txt"))
        labels = read_lines(require(raw, f"tweeteval_hate_{split}_labels.txt", f"{split}_labels.txt"), len(texts))
        for number, (text, label) in enumerate(zip(texts, labels, strict=True)):
            hateful = float(label)
            stratum = "hate" if hateful else "none"
            known = _targets(text) if hateful else dict.fromkeys(HATE.names, 0.0)
            yield Row(f"{split}-{number}", text, split=split, labels=known, hateful=hateful, stratum=stratum)


def _targets(text: str) -> dict[str, float]:
    immigrants, women = bool(IMMIGRANTS.search(text)), bool(WOMEN.search(text))
    if immigrants == women:
        return {}
    if immigrants:
        return {"racist": 1.0, "sexist": 0.0, "homophobe": 0.0}
    return {"sexist": 1.0}


DATASET = Dataset(
    "tweeteval-hate",
    HATE.names,
    read,
    "tweeteval_hate_{train,val}_{text,labels}.txt (or TweetEval's own {train,val}_{text,labels}.txt)",
    "Basile et al., SemEval 2019, through TweetEval (Barbieri et al., 2020)",
    "Two targets and few accounts; the target of a hateful tweet is guessed here from its words.",
)
