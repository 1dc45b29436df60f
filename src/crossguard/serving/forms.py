"""Uploads as multipart forms, parsed in memory: nothing of a post touches a disk."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, Callable, Sequence
from math import inf
from typing import Final, TypeAlias
from urllib.parse import unquote_to_bytes

from starlette.datastructures import Headers, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser

from crossguard.serving.bodies import charset_of, decoded
from crossguard.serving.call import Call
from crossguard.serving.errors import BadRequest

MULTIPART = "multipart/form-data"
IMAGE_FIELDS: Final = frozenset({"image", "images"})
AS_IT_IS: Final = frozenset({b"7bit", b"8bit", b"binary"})
"""Transfer encodings that change nothing; the others are of e-mail, and in forms deprecated (RFC 7578, 4.7)."""
EXTENDED_NAME: Final = re.compile(rb";\s*filename\*\s*=\s*utf-8'[a-z0-9-]{0,35}'([^\s;\"\\]+)", re.IGNORECASE)
"""A name beyond ASCII as in e-mail, which forms should not have (RFC 7578, 4.2): .NET sends it beside one that is
encoded in another way, older versions of Python's `requests` alone."""
ENDS_NAME: Final = re.compile(rb"[\x00-\x1f\";\\]")
MOST_SEMICOLONS = 100
"""In what a part says of itself; for each, all of it is read: a form of 4 MB held up all others for 4 s."""
# Values of the text fields by name; file name and content of each upload, in order.
UploadForm: TypeAlias = tuple[dict[str, str], list[tuple[str, bytes]]]


class _WholeBodyParser(MultiPartParser):
    """Starlette's parser, of a body in memory.

    It would spool files of over a megabyte to a disk that a container may not have, and leave out a last part that has
    no end. Parts that are unknown or too many are refused when they begin, so that few are kept of any form.
    """

    spool_max_size = 2**40

    def __init__(
        self,
        headers: Headers,
        body: bytes,
        *,
        fields: frozenset[str],
        check_files: Callable[[int], None],
        max_part_size: int,
    ) -> None:
        super().__init__(headers, self._once(body), max_files=inf, max_fields=inf, max_part_size=max_part_size)
        self._fields = fields
        self._check_files = check_files
        self._named: set[str] = set()
        self._ended = False

    def on_headers_finished(self) -> None:
        encoding = dict(self._current_part.item_headers).get(b"content-transfer-encoding", b"binary").strip().lower()
        if encoding not in AS_IT_IS:
            told = encoding[:40].decode("latin-1")
            raise MultiPartException(f"A part has the Content-Transfer-Encoding '{told}'; send it as it is.")
        disposition = self._current_part.content_disposition or b""
        if disposition.count(b";") > MOST_SEMICOLONS:
            raise MultiPartException(f"A part has more than {MOST_SEMICOLONS} semicolons in its name or parameters.")
        extended = EXTENDED_NAME.search(disposition)
        if extended and not ENDS_NAME.search(plain := unquote_to_bytes(extended[1])):
            self._current_part.content_disposition = b'%b; filename="%b"' % (disposition, plain)  # the last one counts
        super().on_headers_finished()
        name, is_file = self._current_part.field_name, self._current_part.file is not None
        if is_file and name in self._fields:
            raise BadRequest(f"The part '{name}' is a file; send it as a field (curl: -F '{name}=<post.txt').")
        if name not in (IMAGE_FIELDS if is_file else IMAGE_FIELDS | self._fields):
            raise BadRequest(f"Unknown part {name[:80]!r} of the form. {_known(self._fields)}")
        if is_file:
            self._check_files(self._current_files)
            return
        if name in self._named:
            raise BadRequest(f"The part '{name}' of the form is there twice. A form is one post.", code="invalid_form")
        self._named.add(name)

    def on_part_data(self, data: bytes, start: int, end: int) -> None:
        name = self._current_part.field_name
        # An empty one is what some clients send for no image.
        if name in IMAGE_FIELDS and self._current_part.file is None and end > start:
            raise BadRequest(f"The part '{name}' must be a file (curl: -F {name}=@post.jpg); send an address in JSON.")
        super().on_part_data(data, start, end)

    def on_end(self) -> None:
        self._ended = True

    async def _once(self, body: bytes) -> AsyncGenerator[bytes, None]:
        yield body
        if not self._ended:
            raise MultiPartException("Its closing boundary is missing.")


async def read_form(call: Call, *, fields: frozenset[str], check_files: Callable[[int], None]) -> UploadForm:
    """Returns the fields and the uploads of a form; the latter are all called `image`.

    `check_files` is told the number of files as they come, and raises where these are too many.

    Raises:
        BadRequest: It is broken or cut, or has other fields.
    """
    charset = charset_of(call.request)
    body = await call.body.read()
    # Starlette guesses when text is not what its header says: it reads Latin-1 here, which keeps every byte.
    headers = Headers({"content-type": f"{call.request.headers['content-type']}; charset=latin-1"})
    parser = _WholeBodyParser(
        headers, body, fields=fields, check_files=check_files, max_part_size=call.settings.max_body_bytes
    )
    try:
        form = await parser.parse()
        try:
            return _form(form.multi_items(), charset)
        finally:
            await form.close()
    except (MultiPartException, KeyError, ValueError, LookupError) as error:
        reason = error.message if isinstance(error, MultiPartException) else type(error).__name__
        raise BadRequest(f"The form cannot be read: {reason} {_known(fields)}", code="invalid_form") from None


def _form(parts: Sequence[tuple[str, UploadFile | str]], charset: str) -> UploadForm:
    texts: dict[str, str] = {}
    files: list[tuple[str, bytes]] = []
    for name, value in parts:
        if isinstance(value, str):
            if name not in IMAGE_FIELDS:
                texts[name] = decoded(value.encode("latin-1"), charset)
        elif value.filename or value.size:  # a browser sends neither for a field in which no file was chosen
            file = decoded((value.filename or f"image-{len(files)}").encode("latin-1"), charset)
            files.append((file, value.file.read()))
    return texts, files


def _known(fields: frozenset[str]) -> str:
    return f"Known: {', '.join(['image (a file)', *sorted(fields)])}. Many posts with texts are sent as JSON."
