"""Posts from a tar file in the layout of WebDataset: files that share a name up to its first dot are one post."""

from __future__ import annotations

import json
import tarfile
from collections.abc import Iterable, Iterator
from itertools import groupby
from pathlib import PurePosixPath
from typing import Any, BinaryIO, Final

from crossguard.data.image_formats import SUFFIXES
from crossguard.data.json_rows import not_an_object
from crossguard.data.lines import MAX_LINE_BYTES, NOT_UTF8
from crossguard.data.post_builder import PostBuilder
from crossguard.errors import PostError, TableError
from crossguard.records import Post

TEXT_SUFFIXES: Final = (".txt", ".text", ".caption")


def read_tar(stream: BinaryIO, builder: PostBuilder, where: str) -> Iterator[Post]:
    """Yields a post per group of neighbouring files: an image, a text, and `.json` with further columns.

    The name of the group is the id where `.json` has none. Members that are none of these are left out.

    Raises:
        TableError: The file is not a tar file, or is damaged.
    """
    count = 0
    try:
        with tarfile.open(fileobj=stream, mode="r|") as tar:
            named = (member for member in tar if member.isfile() and PurePosixPath(member.name).name)
            for key, members in groupby(named, _key):
                post = _post(tar, members, builder, key)
                if post is not None:
                    count += 1
                    yield post
    except (tarfile.TarError, EOFError) as error:
        raise TableError(f"{where} is damaged after {count:,} posts: {error}.") from None


def _key(member: tarfile.TarInfo) -> str:
    name = PurePosixPath(member.name)
    return str(name.with_name(name.name.partition(".")[0] or name.name))


def _post(tar: tarfile.TarFile, members: Iterable[tarfile.TarInfo], builder: PostBuilder, key: str) -> Post | None:
    """Returns the post of a group; None where it has no member that is read."""
    said: dict[str, Any] | None = None
    content: dict[str, Any] = {}
    try:
        for member in members:
            suffix = PurePosixPath(member.name).name.partition(".")[2].lower()
            last = "." + suffix.rpartition(".")[2]
            if last in SUFFIXES:
                content["image"] = _content(tar, member)
            elif last == ".json":
                said = (said or {}) | _object(tar, member)
            elif f".{suffix}" in TEXT_SUFFIXES:
                content["text"] = _text(tar, member)
    except PostError as error:
        return Post.failed(key, error.code, str(error))
    if said is None and not content:
        return None
    # What `.json` says of an image or a text that is here is null, or where it came from.
    return builder.build((said or {}) | content, key)


def _content(tar: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    if member.size > MAX_LINE_BYTES:
        raise PostError("member_too_large", f"'{member.name}' is longer than {MAX_LINE_BYTES:,} bytes.")
    file = tar.extractfile(member)
    return file.read() if file is not None else b""


def _text(tar: tarfile.TarFile, member: tarfile.TarInfo) -> str:
    try:
        return _content(tar, member).decode()
    except UnicodeDecodeError:
        raise PostError("invalid_utf8", f"'{member.name}' is {NOT_UTF8}") from None


def _object(tar: tarfile.TarFile, member: tarfile.TarInfo) -> dict[str, Any]:
    try:
        found = json.loads(_text(tar, member))
    except (ValueError, RecursionError) as error:
        raise PostError("line_malformed", f"'{member.name}' is not valid JSON: {error}.") from None
    if not isinstance(found, dict):
        raise PostError("line_malformed", f"'{member.name}': {not_an_object(found)}")
    return found
