"""Which format the first bytes of a file are of."""

from __future__ import annotations

import pytest
from tests.support.pictures import HEIC, encoded, halves

from crossguard.data.image_formats import has_signature, is_heif, looks_like

SIZE = (70, 30)


def test_signatures_are_those_of_what_is_decoded() -> None:
    for kind in ("JPEG", "PNG", "GIF", "WEBP", "BMP", "TIFF", "AVIF"):
        data = encoded(halves(SIZE), kind)
        assert has_signature(data)
        assert not is_heif(data)
    assert is_heif(HEIC)
    assert not has_signature(b"%PDF-1.7")


@pytest.mark.parametrize(
    ("data", "guess"),
    [
        (b"  <HTML><body>", "; it looks like a web page"),
        (b"%PDF-1.7", "; it looks like a PDF"),
        (b"PK\x03\x04rest", "; it looks like a zip archive"),
        (b"\0\0\0\x18ftypmp42", "; it looks like a video"),
        (b"no idea", ""),
    ],
)
def test_what_is_no_image_is_guessed_at_only_where_that_is_safe(data: bytes, guess: str) -> None:
    assert looks_like(data) == guess
