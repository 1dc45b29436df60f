"""Folders that an export writes: whole or not at all."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def whole_folder(out: Path, last: str) -> Iterator[Path]:
    """Yields a new folder beside `out`; its files move to `out` when the block ends without an error."""
    out = out.resolve()
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{out.name}-", dir=out.parent) as scratch:
        draft = Path(scratch) / "folder"
        draft.mkdir()
        yield draft
        if not out.exists():
            draft.rename(out)
            return
        (out / last).unlink(missing_ok=True)
        for path in sorted((path for path in draft.rglob("*") if path.is_file()), key=lambda path: path.name == last):
            target = out / path.relative_to(draft)
            target.parent.mkdir(parents=True, exist_ok=True)
            path.replace(target)
