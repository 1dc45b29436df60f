"""Files of decisions for tests of outputs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from tests.support.decisions import decision, failed

from crossguard.data.writing import open_output
from crossguard.labels import HATE

ROWS = [decision("1"), failed("2", "image_not_found", "No such image: 'x.png'."), decision("3", 0.75)]

KEPT = [
    replace(decision("123456789012345678"), digest="ab", input={"text": "=1+1", "likes": "3"}),
    replace(failed("2"), input={"text": 'a "b",\nc'}),
]


def write(path: Path, count: int = 3, *, overwrite: bool = False) -> None:
    with open_output(path, HATE.names, overwrite=overwrite) as output:
        output.start()
        for row in ROWS[:count]:
            output.write(row)
        output.finish()
