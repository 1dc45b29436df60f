"""Posts written against classifiers, with emoji (Kirk et al., NAACL 2022)."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from crossguard.data.datasets.raw import read_csv, require
from crossguard.data.datasets.rows import Dataset, Row
from crossguard.labels import HATE

SPLITS: Final = {"train": "HatemojiBuild_train.csv", "val": "HatemojiBuild_validation.csv"}
_RACIST = (
    "bla african blaman arab asi asi.east asi.east.chin asi.south asi.south.pak asi.south.thai immig ref for ethmin "
    "hisp mex mix.race trav indig abo ind asiman asy nat.poland nat.germany nat.ireland nat.france nat.russia "
    "nat.wales nat.southafrica nat.israel europe.east"
)
TARGETS: Final[dict[str, tuple[str, ...]]] = {
    **dict.fromkeys(_RACIST.split(), ("racist",)),
    **dict.fromkeys(("blawom", "asiwom", "indwom", "indigwom", "mexwom"), ("racist", "sexist")),
    **dict.fromkeys(("muswom", "sikhwom"), ("religion", "sexist")),
    **dict.fromkeys(("mus", "jew", "sikh", "hind"), ("religion",)),
    **dict.fromkeys(("gayman", "gaywom", "gay", "lgbtqa", "bis", "trans"), ("homophobe",)),
    **dict.fromkeys(("dis", "wc"), ("otherhate",)),
    "wom": ("sexist",),
}


def read(raw: Path) -> Iterator[Row]:
    """Yields the posts of the train and validation files; a target outside the five labels leaves them unknown."""
    for split, name in SPLITS.items():
        for number, entry in enumerate(read_csv(require(raw, name, name.removeprefix("HatemojiBuild_")))):
            hateful = float(entry["label_gold"])
            labels = _labels(entry["target"]) if hateful else dict.fromkeys(HATE.names, 0.0)
            stratum = "hate" if hateful else "none"
            identifier = f"{split}-{entry.get('entry_id', number)}"
            yield Row(identifier, entry["text"], split=split, labels=labels, hateful=hateful, stratum=stratum)


def _labels(target: str) -> dict[str, float]:
    try:
        parsed = ast.literal_eval(target)
    except (ValueError, SyntaxError):
        parsed = [target]
    targets = parsed if isinstance(parsed, list) else [str(parsed)]
    hit = {label for name in targets for label in TARGETS.get(name, ())}
    return {name: float(name in hit) for name in HATE.names} if hit else {}


DATASET = Dataset(
    "hatemoji-build",
    HATE.names,
    read,
    "HatemojiBuild_train.csv, HatemojiBuild_validation.csv",
    "Kirk et al., NAACL 2022; CC-BY-4.0",
    "Written to fool a model: harder and cleaner than what people post.",
)
