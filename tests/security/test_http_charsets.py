"""Character sets: a codec must cost no more than the text is long, and must not make another text of it."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator

import httpx2
import pytest
from tests.support.server import RunningServer

from crossguard.bundle import Bundle

DEADLINE_S = 5.0
EDGE = "--edge"
REFUSED = (
    "punycode", "idna", "utf-7", "utf-16", "utf-32", "unicode_escape", "raw_unicode_escape", "rot13", "hex", "zlib",
    "bz2", "base64", "uu", "quopri", "undefined", "mbcs", "hz", "iso2022_jp", "cp037", "nonsense", "utf-8\\",
)  # fmt: skip


@pytest.fixture(scope="module")
def client(tiny_bundle: Bundle) -> Iterator[httpx2.Client]:
    with RunningServer(tiny_bundle.folder, drain_s=0) as server, server.client() as http:
        yield http


def form(client: httpx2.Client, charset: str, text: bytes, name: bytes = b"text") -> httpx2.Response:
    body = b'%b\r\ncontent-disposition: form-data; name="%b"\r\n\r\n%b\r\n%b--\r\n' % (
        EDGE.encode(),
        name,
        text,
        EDGE.encode(),
    )
    kind = f"multipart/form-data; boundary={EDGE[2:]}; charset={charset}".encode("latin-1")
    return client.post("/v1/score", content=body, headers={b"content-type": kind})


@pytest.mark.parametrize("charset", REFUSED)
def test_a_codec_that_nobody_sends_is_refused_at_once(client: httpx2.Client, charset: str) -> None:
    begun = time.monotonic()
    for answer in (
        form(client, charset, b"a" * 600_000 + b"-a"),
        form(client, charset, b"+2D"),
        client.post(
            "/v1/score",
            content=b'{"text": "hello"}',
            headers={b"content-type": f"application/json; charset={charset}".encode("latin-1")},
        ),
    ):
        assert answer.status_code == 415, answer.text
        assert answer.json()["error"]["code"] == "unsupported_media_type"
    assert time.monotonic() - begun < DEADLINE_S


@pytest.mark.parametrize(
    "kind",
    [
        'multipart/form-data; boundary=edge; charset=utf-8; x="; charset=punycode',
        'multipart/form-data; boundary=edge; x="; charset=punycode',
        "multipart/form-data; boundary=edge; charset*=utf-8''punycode",
        "multipart/form-data; boundary=edge; charset*0=puny; charset*1=code",
        "multipart/form-data; charset=punycode; charset=utf-8; boundary=edge",
        "multipart/form-data; charset=utf-8; charset=punycode; boundary=edge",
    ],
)
def test_no_spelling_of_the_header_smuggles_a_codec(client: httpx2.Client, kind: str) -> None:
    body = b'--edge\r\ncontent-disposition: form-data; name="text"\r\n\r\n' + b"a" * 600_000 + b"-a\r\n--edge--\r\n"
    begun = time.monotonic()
    assert client.post("/v1/score", content=body, headers={"content-type": kind}).status_code in {200, 400, 415}
    assert time.monotonic() - begun < DEADLINE_S


@pytest.mark.parametrize("path", ["/batch", "/v1/score", "/v1/score/batch", "/v1/moderations", "/invocations"])
@pytest.mark.parametrize("kind", ["multipart/mixed", "multipart/form-data", "application/json", "image/png"])
def test_no_content_type_stops_the_service(client: httpx2.Client, path: str, kind: str) -> None:
    """Python looks at each semicolon of a quoted parameter, and from there at all of the header."""
    begun = time.monotonic()
    for name in ("boundary", "charset"):
        answer = client.post(path, content=b"{}", headers={"content-type": f'{kind}; {name}="' + ";" * 60_000})
        assert answer.status_code == 415, answer.text
    assert time.monotonic() - begun < DEADLINE_S


def test_a_part_of_a_batch_has_no_longer_one(client: httpx2.Client) -> None:
    head = b"--b\r\ncontent-type: application/http\r\n\r\nPOST /v1alpha1/comments:analyze HTTP/1.1\r\ncontent-type: "
    part = head + b'application/json; charset="' + b";" * 60_000 + b"\r\n\r\n{}\r\n"
    begun = time.monotonic()
    answer = client.post("/batch", content=part * 2 + b"--b--", headers={"content-type": "multipart/mixed; boundary=b"})
    assert answer.text.count("HTTP/1.1 415") == 2
    assert time.monotonic() - begun < DEADLINE_S


@pytest.mark.parametrize(
    ("charset", "codec"),
    [
        ("utf-8", "utf-8"),
        ("UTF8", "utf-8"),
        ("us-ascii", "utf-8"),
        ("ISO-8859-1", "latin-1"),
        ("windows-1252", "cp1252"),
    ],
)
def test_the_usual_ones_give_the_same_scores(client: httpx2.Client, charset: str, codec: str) -> None:
    text = "hello \xe9 you"
    expected = client.post("/v1/score", json={"text": text}).json()
    assert form(client, charset, text.encode(codec)).json() == expected
    kind = {"content-type": f"application/json; charset={charset}"}
    body = json.dumps({"text": text}, ensure_ascii=False).encode(codec)
    assert client.post("/v1/score", content=body, headers=kind).json() == expected


@pytest.mark.parametrize(("charset", "text"), [("utf-8", b"\xff"), ("us-ascii", b"\xe9 a"), ("windows-1252", b"\x81")])
def test_what_is_not_of_its_character_set_is_said_and_not_guessed(
    client: httpx2.Client, charset: str, text: bytes
) -> None:
    answer = form(client, charset, text)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "invalid_text")


def test_names_of_parts_are_read_as_text_too(client: httpx2.Client) -> None:
    answer = form(client, "utf-8", b"hello", name=b"\xff")
    assert answer.status_code == 400
    assert "Unknown part" in answer.json()["error"]["message"]
