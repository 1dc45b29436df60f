"""Tables for tests of readers."""

from __future__ import annotations

import io
import tarfile
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import openpyxl
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


def workbook(path: Path, *rows: Sequence[Any]) -> Path:
    book = openpyxl.Workbook()
    for row in rows:
        book.active.append(row)
    book.save(path)
    return path


def with_sheet(path: Path, changed: Callable[[bytes], bytes]) -> Path:
    """Changes the XML of the first sheet."""
    with zipfile.ZipFile(path) as book:
        parts = {name: book.read(name) for name in book.namelist()}
    parts["xl/worksheets/sheet1.xml"] = changed(parts["xl/worksheets/sheet1.xml"])
    with zipfile.ZipFile(path, "w") as book:
        for name, content in parts.items():
            book.writestr(name, content)
    return path


def read(path: Path, **options: Any) -> list[Post]:
    return list(PostReader(path, **options))


def brief(entries: list[Post]) -> list[tuple[str, str]]:
    return [(entry.id, entry.text if entry.error is None else f"!{entry.error.code}") for entry in entries]
