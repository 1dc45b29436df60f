"""Raw folder to table and report: what `crossguard prepare` does."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final

from crossguard.data.datasets.alike import alike, hash_of_file
from crossguard.data.datasets.rows import Dataset, Row, letters, write_table
from crossguard.errors import ImageError, TableError, first_line

MAX_MISSING_IMAGES: Final = 0.02
SHOWN: Final = 3
# As a path, which lost a slash.
_ADDRESS: Final = re.compile(r"[a-z]\w+:/")


@dataclass(frozen=True, slots=True)
class DatasetReport:
    """What a dataset holds, and what is wrong with it."""

    dataset: str
    posts: dict[str, int]
    not_annotated: dict[str, int]  # ids without annotation per split; they are left out of the table
    labels: dict[str, dict[str, float]]
    known: dict[str, dict[str, int]]  # number of posts per split where each label is known
    images: dict[str, int]
    # Images that are not there, per split; their posts are kept, as posts without an image
    missing_images: dict[str, int]
    broken_images: dict[str, str]  # path and reason of each image that cannot be read
    blank: dict[str, int]  # posts per split with neither text nor image, which training leaves out
    image_text: dict[str, float]
    duplicate_ids: list[str]
    # Texts that occur in two splits, as `letters` compares them; pairs of splits to counts
    duplicate_texts: dict[str, int]
    alike_images: dict[str, int]  # images that look alike in two splits; pairs of splits to counts
    caution: str  # what is known to be wrong with the dataset's labels, or of its posts is not read

    def to_dict(self) -> dict[str, Any]:
        """Returns the report as JSON holds it."""
        return asdict(self)


def _read(dataset: Dataset, raw: Path) -> list[Row]:
    try:
        rows = list(dataset.read(raw))
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        lacks = " is a column or class that one of them lacks" if isinstance(error, KeyError) else ""
        raise TableError(
            f"'{raw}' differs from '{dataset.name}' as published: {first_line(error)}{lacks}. "
            f"It should hold: {dataset.layout}."
        ) from error
    for row in rows:
        _check_shares(row, dataset, raw)
    return rows


def _check_shares(row: Row, dataset: Dataset, raw: Path) -> None:
    """Refuses a row with a label that is no share of annotators, such as -1 where nobody said anything."""
    for name, share in (("hateful", row.hateful), *row.labels.items()):
        if share is not None and not 0 <= share <= 1:
            raise TableError(
                f"'{raw}' differs from '{dataset.name}' as published: '{name}' of the post '{row.id}' is {share}, and "
                "labels are from 0 to 1."
            )


def prepare(dataset: Dataset, raw: Path, out: Path, max_missing_images: float = MAX_MISSING_IMAGES) -> DatasetReport:
    """Writes the table of a dataset and says what it holds; posts without a readable image keep their text alone."""
    everything = _read(dataset, raw)
    rows = [row for row in everything if row.annotated]
    checked = _Images(rows)
    checked.refuse_above(max_missing_images)
    kept = [row if place in checked.hashes else replace(row, image=None) for place, row in enumerate(rows)]
    lost = Counter(row.split for row, read in zip(rows, kept, strict=True) if row.image is not None and not read.image)
    write_table(kept, dataset.labels, dataset.name, out, lost)
    parts = {split: [row for row in rows if row.split == split] for split in dict.fromkeys(row.split for row in rows)}
    votes = {split: _votes(part, dataset.labels) for split, part in parts.items()}
    words = {split: sum(bool(row.image_text.strip()) for row in part) / len(part) for split, part in parts.items()}
    return DatasetReport(
        dataset.name,
        posts={split: len(part) for split, part in parts.items()},
        not_annotated=dict(Counter(row.split for row in everything if not row.annotated)),
        labels={split: {n: round(sum(v) / len(v), 4) for n, v in own.items() if v} for split, own in votes.items()},
        known={split: {name: len(values) for name, values in own.items()} for split, own in votes.items()},
        images=dict(Counter(rows[place].split for place in checked.hashes)),
        missing_images=dict(checked.missing),
        broken_images=checked.broken,
        blank=dict(Counter(row.split for row in kept if row.blank)),
        image_text={split: round(share, 4) for split, share in words.items()},
        duplicate_ids=sorted(name for name, count in Counter(row.id for row in everything).items() if count > 1),
        duplicate_texts=_across(rows, _same_text(rows)),
        alike_images=_across(rows, alike(checked.hashes)),
        caution=dataset.caution,
    )


def _votes(rows: Sequence[Row], labels: Sequence[str]) -> dict[str, list[float]]:
    return {name: [row.labels[name] for row in rows if name in row.labels] for name in labels}


class _Images:
    """Looks at every image once."""

    def __init__(self, rows: Sequence[Row]) -> None:
        self.hashes: dict[int, int] = {}  # of images that can be read, by the place of their row
        self.missing: Counter[str] = Counter()
        self.broken: dict[str, str] = {}
        self._lost: list[str] = []
        for place, row in enumerate(rows):
            if row.image is not None:
                self._look(place, row, row.image)

    def _look(self, place: int, row: Row, path: Path) -> None:
        if not path.is_file():
            self.missing[row.split] += 1
            why = "addresses are not fetched" if _ADDRESS.match(str(path)) else "not found"
            self._lost.append(f"{path} ({why})")
            return
        try:
            self.hashes[place] = hash_of_file(path)
        except ImageError as error:
            self.broken[str(path)] = error.code
            self._lost.append(f"{path} ({error.code})")

    def refuse_above(self, limit: float) -> None:
        """Refuses rows of which more than this fraction of the images cannot be read."""
        named = len(self._lost) + len(self.hashes)
        if len(self._lost) > limit * named:
            raise TableError(
                f"{len(self._lost)} of {named} images cannot be read, and at most {limit:.0%} may be missing: "
                f"{'; '.join(self._lost[:SHOWN])}. Relative paths start at the folder of the table that names them. "
                "To keep the text of these posts without their images: --max-missing-images 1"
            )


def _same_text(rows: Sequence[Row]) -> list[tuple[int, int]]:
    """Pairs of rows with one text, each later one with the first one."""
    first: dict[str, int] = {}
    keys = (letters(row.text, row.image_text) for row in rows)
    return [(first[key], place) for place, key in enumerate(keys) if key and first.setdefault(key, place) != place]


def _across(rows: Sequence[Row], pairs: Iterable[tuple[int, int]]) -> dict[str, int]:
    splits = ((rows[one].split, rows[other].split) for one, other in pairs)
    counts = Counter("-".join(sorted((one, other))) for one, other in splits if one != other)
    return dict(sorted(counts.items()))
