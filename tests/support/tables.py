"""Tables for tests of readers."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path
from typing import Any

import pandas as pd

from crossguard.data.tables import PostReader
from crossguard.records import Post

ROUNDED = "numbers of more than 15 digits in 'id' were rounded, by Excel or as floats: store ids as text"


def write(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def write_rows(path: Path, rows: list[dict[str, Any]]) -> Path:
    """Writes rows as pandas does, in the format that the suffix names."""
    frame = pd.DataFrame(rows)
    if path.suffix == ".jsonl":
        frame.to_json(path, orient="records", lines=True)
    else:
        getattr(frame, "to_excel" if path.suffix == ".xlsx" else f"to_{path.suffix[1:]}")(path, index=False)
    return path


def packed(members: dict[str, bytes]) -> bytes:
    """A tar file."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def read(path: Path, **options: Any) -> list[Post]:
    return list(PostReader(path, **options))


def brief(entries: list[Post]) -> list[tuple[str, str]]:
    return [(entry.id, entry.text if entry.error is None else f"!{entry.error.code}") for entry in entries]
