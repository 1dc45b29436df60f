"""Posts from a tar file in the layout of WebDataset: files that share a name up to its first dot are one post."""

from __future__ import annotations

import json
import tarfile
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Any, BinaryIO, Final

from crossguard.data.image_formats import SUFFIXES
from crossguard.data.lines import MAX_LINE_BYTES, NOT_UTF8
from crossguard.data.post_builder import PostBuilder
from crossguard.errors import TableError
from crossguard.records import Post, PostFailure

TEXT_SUFFIXES: Final = (".txt", ".text", ".caption")


def read_tar(stream: BinaryIO, builder: PostBuilder, where: str) -> Iterator[Post]:
    """Yields a post per group of neighbouring files: an image, a text, and `.json` with further columns.

    The name of the group is the id where `.json` has none. Members that are none of these are left out.

    Raises:
        TableError: The file is not a tar file, or is damaged.
    """
    key = ""
    row: dict[str, Any] = {}
    count = 0
    try:
        with tarfile.open(fileobj=stream, mode="r|") as tar:
            for member in tar:
                if not member.isfile():
                    continue
                name = PurePosixPath(member.name)
                stem, dot, ending = name.name.partition(".")
                if str(name.with_name(stem or name.name)) != key:
                    if row:
                        count += 1
                        yield _built(row, builder, key)
                    key, row = str(name.with_name(stem or name.name)), {}
                row |= _cells(tar, member, f"{dot}{ending}".lower())
            if row:
                yield _built(row, builder, key)
    except (tarfile.TarError, EOFError) as error:
        raise TableError(f"{where} is damaged after {count:,} posts: {error}.") from None


def _cells(tar: tarfile.TarFile, member: tarfile.TarInfo, suffix: str) -> dict[str, Any]:
    last = "." + suffix.rpartition(".")[2]
    if last not in SUFFIXES and last != ".json" and suffix not in TEXT_SUFFIXES:
        return {}
    if member.size > MAX_LINE_BYTES:
        return {"error": PostFailure("member_too_large", f"'{member.name}' is longer than {MAX_LINE_BYTES:,} bytes.")}
    file = tar.extractfile(member)
    content = file.read() if file is not None else b""
    if last in SUFFIXES:
        return {"image": content}
    try:
        text = content.decode()
        found = json.loads(text) if last == ".json" else {"text": text}
    except UnicodeDecodeError:
        return {"error": PostFailure("invalid_utf8", f"'{member.name}' is {NOT_UTF8}")}
    except (ValueError, RecursionError) as error:
        return {"error": PostFailure("line_malformed", f"'{member.name}' is not valid JSON: {error}.")}
    return found if isinstance(found, dict) else {}


def _built(row: dict[str, Any], builder: PostBuilder, key: str) -> Post:
    error = row.get("error")
    if isinstance(error, PostFailure):
        return Post(key, error=error)
    return builder.build(row, key)
