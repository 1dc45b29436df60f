"""Uploads as multipart forms, parsed in memory: nothing of a post touches a disk."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from typing import TypeAlias

from starlette.datastructures import Headers, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser

from crossguard.serving.bodies import charset_of, decoded
from crossguard.serving.call import Call
from crossguard.serving.errors import BadRequest

MULTIPART = "multipart/form-data"
MOST_SEMICOLONS = 100
"""In what a part says of itself; for each, all of it is read: a form of 4 MB held up all others for 4 s."""
# Values of the text fields by name; file name and content of each upload, in order.
UploadForm: TypeAlias = tuple[dict[str, str], list[tuple[str, bytes]]]


class _WholeBodyParser(MultiPartParser):
    """Starlette's parser, of a body in memory.

    It would spool files of over a megabyte to a disk that a container may not have, and leave out a last part that has
    no end.
    """

    spool_max_size = 2**40

    def __init__(self, headers: Headers, body: bytes, **limits: int) -> None:
        super().__init__(headers, self._once(body), **limits)
        self._ended = False

    def on_headers_finished(self) -> None:
        if (self._current_part.content_disposition or b"").count(b";") > MOST_SEMICOLONS:
            raise MultiPartException(f"A part has more than {MOST_SEMICOLONS} semicolons in its name or parameters.")
        super().on_headers_finished()

    def on_end(self) -> None:
        self._ended = True

    async def _once(self, body: bytes) -> AsyncGenerator[bytes, None]:
        yield body
        if not self._ended:
            raise MultiPartException("Its closing boundary is missing.")


async def read_form(call: Call, *, fields: frozenset[str], max_files: int) -> UploadForm:
    """Returns the fields and the uploads of a form; the latter are all called `image`.

    Raises:
        BadRequest: It is broken or cut, has other fields, or too many files.
    """
    charset = charset_of(call.request)
    body = await call.body.read()
    # Starlette guesses when text is not what its header says: it reads Latin-1 here, which keeps every byte.
    headers = Headers({"content-type": f"{call.request.headers['content-type']}; charset=latin-1"})
    limits = {"max_files": max_files, "max_fields": len(fields), "max_part_size": call.settings.max_body_bytes}
    try:
        form = await _WholeBodyParser(headers, body, **limits).parse()
        try:
            return _form(form.multi_items(), charset, fields)
        finally:
            await form.close()
    except (MultiPartException, KeyError, ValueError, LookupError) as error:
        reason = error.message if isinstance(error, MultiPartException) else type(error).__name__
        raise BadRequest(f"The form cannot be read: {reason} {_known(fields)}", code="invalid_form") from None


def _form(parts: Sequence[tuple[str, UploadFile | str]], charset: str, fields: frozenset[str]) -> UploadForm:
    texts: dict[str, str] = {}
    files: list[tuple[str, bytes]] = []
    for name, value in parts:
        if isinstance(value, UploadFile) and name in {"image", "images"}:
            if not value.filename and not value.size:
                continue  # what a browser sends for a field in which no file was chosen
            file = decoded((value.filename or f"image-{len(files)}").encode("latin-1"), charset)
            files.append((file, value.file.read()))
        elif name in texts:
            raise BadRequest(f"The part '{name}' of the form is there twice. A form is one post.", code="invalid_form")
        elif isinstance(value, str) and name in fields:
            texts[name] = decoded(value.encode("latin-1"), charset)
        else:
            raise BadRequest(f"Unknown part {name[:80]!r} of the form. {_known(fields)}")
    return texts, files


def _known(fields: frozenset[str]) -> str:
    return f"Known: {', '.join(['image (a file)', *sorted(fields)])}. Many posts with texts are sent as JSON."
