"""Lines of text files: numbers, places, and what is given back."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from tests.support.tables import brief, read, write

from crossguard.data.lines import Lines, LineTooLong, line_starts, without_mark
from crossguard.errors import TableError
from crossguard.records import PostFailure


def test_lines_that_are_given_back_come_again_with_their_numbers_and_places() -> None:
    lines = Lines(io.BytesIO("\ufeffeins\nzwölf\n\xff\n".encode()))
    first, second = next(lines), next(lines)
    assert (first, second, lines.number, lines.offset) == ("eins\n", "zwölf\n", 2, 15)
    lines.give_back([second])
    assert (lines.number, lines.offset) == (1, 8)
    assert (next(lines), lines.number, lines.offset) == ("zwölf\n", 2, 15)
    assert lines.failed("code", "why").id == "line-2"
    assert lines.failed("code", "why", 1).error == PostFailure("code", "Lines 1 to 2: why")


def test_a_line_that_is_too_long_is_read_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("crossguard.data.lines.MAX_LINE_BYTES", 10)
    lines = Lines(io.BytesIO(b"a" * 99 + b"\nb\n"))
    with pytest.raises(LineTooLong):
        next(lines)
    assert (next(lines), lines.number, lines.offset) == ("b\n", 2, 102)


def test_plain_lines_are_posts_and_empty_ones_are_none(tmp_path: Path) -> None:
    path = write(tmp_path / "in.txt", b"one, two\r\n\n \n\xff\nfour")
    assert brief(read(path)) == [("line-1", "one, two"), ("line-4", "!invalid_utf8"), ("line-5", "four")]
    with pytest.raises(TableError, match="end in CR alone"):
        read(write(path, b"one\rtwo\r"))
    with pytest.raises(TableError, match="iconv"):
        read(write(path, "one".encode("utf-16")))
    for encoding in ("UTF-16LE", "UTF-16BE", "UTF-32LE", "UTF-32BE"):  # would be scored as letters set apart
        with pytest.raises(TableError, match=f"iconv -f {encoding} "):
            read(write(path, "one\ntwo\n".encode(encoding)))
    assert [post.text for post in read(write(path, b"a\0b is a text with an odd character\n"))] == [
        "a\0b is a text with an odd character"
    ]


def test_where_lines_begin_that_are_not_empty() -> None:
    assert list(line_starts(io.BytesIO(b"\xef\xbb\xbf\none\n\t\n\n\xc3\xa9"))) == [(4, 2), (11, 5)]


@pytest.mark.parametrize("encoding", ["utf-32-le", "utf-32-be"])
def test_utf_32_is_told_as_such(encoding: str) -> None:
    with pytest.raises(TableError, match="UTF-32, and must be UTF-8"):
        without_mark(("\ufeff" + "text\n").encode(encoding))
