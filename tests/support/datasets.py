"""Raw files of datasets, and what their rows say."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from crossguard.data.datasets.rows import Row
from crossguard.labels import HATE

NONE = dict.fromkeys(HATE.names, 0.0)


def table(path: Path, rows: Sequence[Mapping[str, Any]]) -> Path:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path.parent


def said(row: Row) -> tuple[dict[str, float], float | None, str]:
    return dict(row.labels), row.hateful, row.stratum
