"""Where the encoded bytes of an image come from: a path, a `data:` URL, or bytes at hand. Never the network."""

from __future__ import annotations

import base64
import binascii
import os
import re
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote_to_bytes

import numpy as np

from crossguard.data.image_limits import ImageLimits
from crossguard.errors import ImageError, shortened

if TYPE_CHECKING:
    from crossguard.records import ImageSource

_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")
# How the base64 of JPEG, PNG, GIF and WebP begins, behind the image root.
_BASE64_IMAGE = re.compile(r"(^|/)(9j/[24]|iVBORw0KGgo|R0lGODlh|R0lGODdh|UklGR)")
# Never waits for a writer of a pipe, and never becomes the terminal of this process. Windows has only the last.
_READ = os.O_RDONLY | sum(getattr(os, name, 0) for name in ("O_CLOEXEC", "O_NONBLOCK", "O_NOCTTY", "O_BINARY"))


def as_image(source: Any) -> ImageSource | None:
    """Returns an image source that can be read more than once; None for no image (None, NaN, an empty text).

    Args:
        source: An image source, bytes of any kind, a file object, or the mapping of bytes and path that Hugging Face
            datasets store.

    Raises:
        ImageError: `image_unreadable`: a file object that is closed, or gives texts.
    """
    if isinstance(source, Mapping) and {"bytes", "path"} & set(source):
        source = source.get("bytes") or source.get("path")
    if hasattr(source, "read"):
        try:
            if getattr(source, "seekable", lambda: hasattr(source, "seek"))():
                source.seek(0)
            source = source.read()
        except (OSError, ValueError) as error:
            raise ImageError("image_unreadable", f"The file of the image cannot be read: {error}.") from None
        if isinstance(source, str):
            raise ImageError("image_unreadable", "The file of an image is read as bytes: open(path, 'rb').")
    if isinstance(source, bytearray | memoryview):
        source = bytes(source)
    if is_missing(source) or (isinstance(source, str) and not source):
        return None
    image: ImageSource = source
    return image


def is_missing(value: object) -> bool:
    """Whether a cell holds nothing: None, or NaN, NA or NaT of NumPy and pandas."""
    # The NA of pandas refuses to be compared with itself, and arrays and images need not be.
    known = type(value).__name__ in {"NoneType", "NAType", "NaTType"}
    return known or (isinstance(value, float | np.floating) and bool(np.isnan(value)))


def data_url(encoded: bytes, kind: str = "application/octet-stream") -> str:
    """Returns the `data:` URL of an encoded image."""
    return f"data:{kind};base64,{base64.b64encode(encoded).decode()}"


def is_data_url(text: str) -> bool:
    """Whether a text is a `data:` URL."""
    return text[:5].lower() == "data:"


def is_url(text: str) -> bool:
    """Whether a text is a URL of any scheme, `data:` included, and so is not a path."""
    return is_data_url(text) or _URL.match(text) is not None


def read_encoded(source: str | os.PathLike[str] | bytes, limits: ImageLimits, base: Path | None = None) -> bytes:
    """Returns the encoded bytes of an image.

    Args:
        source: A path, a `data:` URL, or the bytes themselves.
        limits: `max_bytes` is checked before anything is read or decoded.
        base: The folder that relative paths start from; the working folder when None.

    Raises:
        ImageError: `image_not_found`, `image_is_directory`, `image_not_a_file`, `image_unreadable`, `image_empty`,
            `image_too_large`, `image_bad_data_url`, `image_url_not_allowed`.
    """
    if isinstance(source, bytes):
        data = source
    elif isinstance(source, str) and is_data_url(source):
        data = _from_data_url(source, limits)
    elif isinstance(source, str) and source[:7].lower() == "file://":
        raise ImageError("image_url_not_allowed", f"Give the path alone, without file://: '{shortened(source)}'.")
    elif isinstance(source, str) and is_url(source):
        raise ImageError(
            "image_url_not_allowed",
            f"Images are never fetched from the network: '{shortened(source)}'. "
            "Download it first and give its path, or give a data: URL.",
        )
    else:
        data = _from_path(Path(base or "", source), limits)
    if not data:
        raise ImageError("image_empty", f"The image is empty (0 bytes): {describe(source)}.")
    _check_size(len(data), source, limits)
    return data


def check_inside(path: Path, root: Path) -> None:
    """Checks that a path, with all links followed, lies in a folder.

    Raises:
        ImageError: `image_outside_root`.
    """
    try:
        inside = path.resolve().is_relative_to(root.resolve())
    except (OSError, ValueError, RuntimeError):  # loops of links, NUL characters
        inside = False
    if not inside:
        raise ImageError(
            "image_outside_root",
            f"'{shortened(str(path))}' lies outside '{root}', and images are confined to that folder.",
        )


def describe(source: object) -> str:
    """Returns how to call an image source in a message."""
    if isinstance(source, bytes):
        return f"the file of {len(source):,} bytes"
    if isinstance(source, str | os.PathLike):
        return f"'{shortened(os.fspath(source))}'"
    return f"a {type(source).__name__}"


def _from_path(path: Path, limits: ImageLimits) -> bytes:
    name = shortened(str(path))
    try:
        _check_kind(path.stat(), name)
        descriptor = os.open(path, _READ)
        with os.fdopen(descriptor, "rb") as file:
            # What was checked and what was opened need not be the same.
            status = os.fstat(descriptor)
            _check_kind(status, name)
            _check_size(status.st_size, path, limits)
            # Files of the kernel say that they are empty, and some of them never end or make the reader wait.
            return file.read(limits.max_bytes + 1) if status.st_size else b""
    except (FileNotFoundError, NotADirectoryError):
        raise ImageError("image_not_found", f"No such image: '{name}'.{_hint(path)}") from None
    except OSError as error:
        raise ImageError("image_unreadable", f"Cannot read '{name}': {error.strerror}.{_hint(path)}") from None
    except ValueError as error:  # such as a NUL character in the path
        raise ImageError("image_not_found", f"Not a usable path {name!r}: {error}.") from None


def _hint(path: Path) -> str:
    """Returns what may be wrong with a path that is none."""
    text = str(path)
    if _BASE64_IMAGE.search(text):
        return " Images as base64 are written as data: URLs: data:image/png;base64,..."
    if "~" in path.parts:
        return " Write the folder out in place of ~."
    if "\\" in text and os.sep == "/":
        return " Only Windows separates folders by backslashes; here it is /."
    return ""


def _check_kind(status: os.stat_result, name: str) -> None:
    if stat.S_ISDIR(status.st_mode):
        raise ImageError("image_is_directory", f"'{name}' is a folder, not an image; score a folder as INPUT.")
    # A pipe or a device could block for ever or never end.
    if not stat.S_ISREG(status.st_mode):
        raise ImageError("image_not_a_file", f"'{name}' is not a regular file.")


def _from_data_url(url: str, limits: ImageLimits) -> bytes:
    # Base64 spends four characters on three bytes; percent signs spend up to three on one.
    if len(url) > 3 * limits.max_bytes:
        _check_size(len(url) // 3, url, limits, "at least ")
    head, comma, body = url.partition(",")
    if not comma:
        raise ImageError("image_bad_data_url", f"A data: URL needs a comma before its data: '{shortened(url)}'.")
    raw = unquote_to_bytes(body.encode("utf-8", "surrogatepass"))
    if not head.lower().endswith(";base64"):
        return raw
    packed = b"".join(raw.split()).rstrip(b"=")
    try:
        return base64.b64decode(packed + b"=" * (-len(packed) % 4), validate=True)
    except binascii.Error:
        raise ImageError(
            "image_bad_data_url",
            f"Not valid base64: '{shortened(url)}'. Encode the bytes of the image, and not its name or address.",
        ) from None


def _check_size(size: int, source: object, limits: ImageLimits, about: str = "") -> None:
    if size > limits.max_bytes:
        raise ImageError(
            "image_too_large",
            f"An image may have {limits.max_bytes:,} bytes; {describe(source)} has {about}{size:,}.",
        )
