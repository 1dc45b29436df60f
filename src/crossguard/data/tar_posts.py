"""Posts from a tar file in the layout of WebDataset: files that share a name up to its first dot are one post."""

from __future__ import annotations

import json
import tarfile
from collections.abc import Iterable, Iterator
from itertools import groupby
from pathlib import PurePosixPath
from typing import Any, BinaryIO, Final, Literal, Self

from crossguard.data.image_formats import SUFFIXES
from crossguard.data.json_rows import not_an_object
from crossguard.data.lines import MAX_LINE_BYTES, NOT_UTF8
from crossguard.data.post_builder import PostBuilder
from crossguard.errors import PostError, TableError, number_of
from crossguard.records import Post

TEXT_SUFFIXES: Final = frozenset({".txt", ".text", ".caption"})
# Names of groups that are remembered, to notice one whose files stand apart.
_REMEMBERED: Final = 200_000
# What `tarfile` raises for a block of zeros, and where the file ends without one.
_END: Final[type[Exception]] = tarfile.EOFHeaderError  # type: ignore[attr-defined]  # not in typeshed
_NOTHING: Final[type[Exception]] = tarfile.EmptyHeaderError  # type: ignore[attr-defined]  # not in typeshed
_BUFFER: Final = 1 << 16


class _Member(tarfile.TarInfo):
    """A member of a tar file whose end is where zeros say so; what else looks like it is damage.

    By itself, `tarfile` takes everything behind the first member that is no header for the end.
    """

    @classmethod
    def fromtarfile(cls, tar: tarfile.TarFile) -> Self:
        """Reads the next member.

        Raises:
            ReadError: It is damaged, the file was cut, or something stands behind the end.
            HeaderError: The end, which `tarfile` expects as this.
        """
        try:
            return super().fromtarfile(tar)
        except tarfile.HeaderError as error:
            if not isinstance(error, _END):
                told = "it was cut, or never finished: the zeros at its end are missing"
                raise tarfile.ReadError(told if isinstance(error, _NOTHING) else str(error)) from None
            _check_end(tar.fileobj)
            raise


def _check_end(stream: Any) -> None:
    """Checks that only zeros stand behind the end."""
    while block := stream.read(_BUFFER):
        if block.strip(b"\0"):
            raise tarfile.ReadError(
                "more stands behind the zeros that end it, as where files were joined by cat (give each of them, or "
                "unpack this one: tar -xif)"
            )


def read_tar(stream: BinaryIO, builder: PostBuilder, where: str) -> Iterator[Post]:
    """Yields a post per group of neighbouring files: an image, a text, and `.json` with further columns.

    The name of the group is the id where `.json` has none. Members that are none of these are left out, and so are
    hidden ones, of which macOS puts one before each file. A link fails its post: what it leads to may lie anywhere.

    Raises:
        TableError: The file is not a tar file, or is damaged, or an image and a text of one name stand apart, or none
            of its members is one of these.
    """
    count = 0
    seen: dict[str, bool] = {}
    try:
        with tarfile.open(fileobj=stream, mode="r|", tarinfo=_Member) as tar:
            for key, members in groupby(filter(_is_read, tar), _key):
                post = _post(tar, members, builder, key)
                if post is None:
                    continue
                if post.error is None and len(seen) < _REMEMBERED:
                    shows = post.image is not None
                    if seen.setdefault(key, shows) != shows:
                        raise TableError(
                            f"{where}: the files named '{key}' stand apart, so image and text would be two posts. "
                            "Write them in the order of names: tar --sort=name -cf POSTS.tar FOLDER"
                        )
                count += 1
                yield post
            if not count and not all(member.isdir() for member in tar.getmembers()):
                raise TableError(
                    f"{where} has no posts: none of its files is an image, a text ({', '.join(sorted(TEXT_SUFFIXES))}) "
                    "or .json."
                )
    except (tarfile.TarError, EOFError) as error:
        raise TableError(f"{where} is damaged after {number_of(count, 'post')}: {error}.") from None


def _is_read(member: tarfile.TarInfo) -> bool:
    named = PurePosixPath(member.name).name[:1] not in {"", "."}
    return named and (member.isfile() or (_is_link(member) and _kind(member) != ""))


def _is_link(member: tarfile.TarInfo) -> bool:
    return member.issym() or member.islnk()


def _kind(member: tarfile.TarInfo) -> Literal["image", "text", "json", ""]:
    """Returns what a member is by its name; empty for what is not read."""
    suffix = PurePosixPath(member.name).suffix.lower()
    if suffix in SUFFIXES:
        return "image"
    return "text" if suffix in TEXT_SUFFIXES else "json" if suffix == ".json" else ""


def _key(member: tarfile.TarInfo) -> str:
    name = PurePosixPath(member.name)
    return str(name.with_name(name.name.partition(".")[0]))


def _post(tar: tarfile.TarFile, members: Iterable[tarfile.TarInfo], builder: PostBuilder, key: str) -> Post | None:
    """Returns the post of a group; None where it has no member that is read."""
    said: dict[str, Any] | None = None
    content: dict[str, Any] = {}
    try:
        for member in members:
            kind = _kind(member)
            if kind in content:
                message = f"'{member.name}' is a second {kind} of '{key}': names that agree up to a dot are one post."
                return Post.failed(key, "field_ambiguous", message)
            if kind == "json":
                said = (said or {}) | _object(tar, member)
            elif kind:
                content[kind] = _content(tar, member) if kind == "image" else _text(tar, member)
    except PostError as error:
        return Post.failed(key, error.code, str(error))
    if said is None and not content:
        return None
    # What `.json` says of an image or a text that is here is null, or where it came from.
    return builder.build((said or {}) | content, key)


def _content(tar: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    if _is_link(member):
        told = f"'{member.name}' is a link, whose content is not here. Pack what it leads to: tar -h --hard-dereference"
        raise PostError("member_is_link", told)
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
