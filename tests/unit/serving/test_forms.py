"""Uploads, in memory."""

from __future__ import annotations

import asyncio

import pytest
from tests.support.serving import call_of

from crossguard.serving.errors import BadRequest, BodyTooLarge, UnsupportedBody
from crossguard.serving.forms import UploadForm, read_form
from crossguard.serving.service import Service

FIELDS = frozenset({"id", "text"})
KIND = "multipart/form-data; boundary=b"


def part(name: str, content: bytes, filename: str | None = None) -> bytes:
    file = "" if filename is None else f'; filename="{filename}"'
    return f'--b\r\ncontent-disposition: form-data; name="{name}"{file}\r\n\r\n'.encode() + content + b"\r\n"


def read(service: Service, *parts: bytes, kind: str = KIND, end: bytes = b"--b--\r\n") -> UploadForm:
    call = call_of(service, b"".join(parts) + end, content_type=kind)
    return asyncio.run(read_form(call, fields=FIELDS, check_files=few))


def few(count: int) -> None:
    if count > 3:
        raise BodyTooLarge(f"{count} files", code="too_many_images")


def test_fields_and_files_are_told_apart(service: Service) -> None:
    texts, files = read(
        service, part("text", b"hello"), part("image", b"\x00\xff", "a.png"), part("images", b"two", "b.png")
    )
    assert texts == {"text": "hello"}
    assert files == [("a.png", b"\x00\xff"), ("b.png", b"two")]


def test_a_part_has_no_more_semicolons_than_are_read_in_no_time(service: Service) -> None:
    """Python reads all of a header for each of its semicolons, a form has many parts, and nobody else is answered."""
    _, files = read(service, part("image", b"1", f"{'a;' * 90}.png"))
    assert files == [(f"{'a;' * 90}.png", b"1")]
    with pytest.raises(BadRequest, match="more than 100 semicolons"):
        read(service, part("image", b"1", ";" * 4000))


@pytest.mark.parametrize("encoding", ["base64", "Quoted-Printable", "x-uuencode"])
def test_a_part_that_is_encoded_as_in_mail_is_refused(service: Service, encoding: str) -> None:
    """It would be scored as it is written."""
    begin, end = part("text", b"aGVsbG8=").split(b"\r\n\r\n")
    header = f"\r\nContent-Transfer-Encoding: {encoding}\r\n\r\n".encode()
    with pytest.raises(BadRequest, match=f"Content-Transfer-Encoding '{encoding.lower()}'") as refused:
        read(service, begin + header + end)
    assert refused.value.code == "invalid_form"
    for plain in (b"7bit", b" 8BIT ", b"binary"):
        assert read(service, begin + b"\r\nContent-Transfer-Encoding:" + plain + b"\r\n\r\n" + end)[0] == {
            "text": "aGVsbG8="
        }


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        ("filename*=UTF-8''h%C3%A9%20%e2%82%ac.png", "h\u00e9 \u20ac.png"),
        ("filename=\"=?utf-8?B?aMOp?=\"; filename*=utf-8''h%C3%A9.png", "h\u00e9.png"),
        ("filename*=utf-8'en'a.png; filename=\"b.png\"", "a.png"),
        *(
            (f'filename="b.png"; filename*={other}', "b.png")
            for other in (
                "utf-8''a%22.png",
                "utf-8''a%0d.png",
                "latin-1''a",
                "utf-8''%5ca",
                "utf-8''a%3b",
                "a",
                "utf-8''",
            )
        ),
    ],
)
def test_a_name_beyond_ascii_may_be_written_as_in_mail(service: Service, names: str, expected: str) -> None:
    begin = f'--b\r\ncontent-disposition: form-data; name="image"; {names}\r\n\r\n'.encode()
    assert read(service, begin + b"1\r\n") == ({}, [(expected, b"1")])


def test_a_file_without_a_name_gets_its_place(service: Service) -> None:
    _, files = read(service, part("image", b"1", ""), part("image", b"2", ""))
    assert [name for name, _ in files] == ["image-0", "image-1"]


def test_a_field_in_which_no_file_was_chosen_is_none(service: Service) -> None:
    texts, files = read(service, part("text", b"hello"), part("image", b"", ""), part("image", b"", "empty.png"))
    assert (texts, files) == ({"text": "hello"}, [("empty.png", b"")])


def test_an_empty_field_in_the_place_of_a_file_is_none(service: Service) -> None:
    texts, files = read(service, part("image", b""), part("image", b"1", "a.png"), part("images", b""))
    assert (texts, files) == ({}, [("a.png", b"1")])


def test_text_is_utf8_unless_the_form_says_otherwise(service: Service) -> None:
    assert read(service, part("text", "h\u00e9".encode()))[0] == {"text": "h\u00e9"}
    latin, _ = read(service, part("text", b"h\xe9"), kind=f"{KIND}; charset=iso-8859-1")
    assert latin == {"text": "h\u00e9"}
    with pytest.raises(UnsupportedBody):
        read(service, part("text", b"a"), kind=f"{KIND}; charset=utf-7")


@pytest.mark.parametrize(
    ("parts", "said"),
    [
        ([part("picture", b"1", "a.png")], "Unknown part 'picture' of the form. Known: image (a file), id, text."),
        ([part("image", b"https://a.b/c.png")], "The part 'image' must be a file (curl: -F image=@post.jpg)"),
        ([part("text", b"a file", "a.txt")], "The part 'text' is a file; send it as a field (curl: -F 'text=<"),
        ([part("image", b"")] * 2, "The part 'image' of the form is there twice"),
        ([part("text", b"1")] * 2, "The part 'text' of the form is there twice"),
        ([part("text", b"1"), part("id", b"1"), part("author", b"1")], "Unknown part 'author'"),
        ([b"nonsense"], "The form cannot be read"),
        ([b"--b\r\n\r\n1\r\n"], "The form cannot be read"),
    ],
)
def test_what_is_wrong_is_said(service: Service, parts: list[bytes], said: str) -> None:
    with pytest.raises(BadRequest) as refused:
        read(service, *parts)
    assert said in refused.value.message


def test_files_are_counted_as_they_come(service: Service) -> None:
    """The rest of a form with a million of them is not read."""
    with pytest.raises(BodyTooLarge, match="4 files"):
        read(service, *[part("image", b"1", "a")] * 5)


def test_a_form_without_its_boundary_is_refused(service: Service) -> None:
    with pytest.raises(BadRequest) as refused:
        read(service, part("text", b"a"), kind="multipart/form-data")
    assert refused.value.code == "invalid_form"


@pytest.mark.parametrize("end", [b"", b"--b", b"--b\r\n", b"--b-", b"--c--\r\n"])
def test_a_form_without_its_end_is_refused(service: Service, end: bytes) -> None:
    """Its last part would be missing from the post that is scored."""
    with pytest.raises(BadRequest, match="closing boundary is missing") as refused:
        read(service, part("text", b"hello"), part("image", b"1", "a.png"), end=end)
    assert refused.value.code == "invalid_form"


@pytest.mark.parametrize("end", [b"--b--", b"--b--\r\n", b"--b--\r\nepilogue"])
def test_nothing_need_follow_the_end_of_a_form(service: Service, end: bytes) -> None:
    assert read(service, part("text", b"hello"), end=end)[0] == {"text": "hello"}
    assert read(service, end=end) == ({}, [])


def test_a_large_upload_touches_no_disk(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a file was made")

    monkeypatch.setattr("tempfile.TemporaryFile", refuse)
    content = b"a" * 3_000_000
    assert read(service, part("image", content, "a.png"))[1] == [("a.png", content)]
