"""Files of decisions for tests of outputs."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from tests.support.decisions import decision, failed

from crossguard.data.writing import open_output
from crossguard.labels import HATE
from crossguard.records import Decision

ROWS = [decision("1"), failed("2", "image_not_found", "No such image: 'x.png'."), decision("3", 0.75)]

KEPT = [
    replace(decision("123456789012345678"), digest="ab", input={"text": "=1+1", "likes": "3"}),
    replace(failed("2"), input={"text": 'a "b",\nc'}),
]


def write(path: Path, rows: Iterable[Decision] = ROWS, *, kept: tuple[str, ...] = (), overwrite: bool = False) -> None:
    with open_output(path, HATE.names, kept=kept, overwrite=overwrite) as output:
        output.start()
        for row in rows:
            output.write(row)
        output.finish()
