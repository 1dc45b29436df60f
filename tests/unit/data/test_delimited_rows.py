"""Posts from CSV, and every way it can be wrong."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.support.tables import brief, read, write

from crossguard.data.delimited_rows import row_starts
from crossguard.data.lines import Lines
from crossguard.data.tables import Columns, PostReader
from crossguard.errors import TableError
from crossguard.records import Post


class TestCsv:
    def test_columns(self, tmp_path: Path) -> None:
        content = '\ufeffid, text ,image_path\r\n1,"a, ""b""\nc",x.png\r\n,d,\r\n'
        path = write(tmp_path / "in.csv", content)
        assert read(path) == [Post("1", 'a, "b"\nc', str(tmp_path / "x.png")), Post("line-4", "d")]

    @pytest.mark.parametrize(("name", "mark"), [("in.csv", ";"), ("in.csv", "|"), ("in.tsv", "\t"), ("in.csv", "\t")])
    def test_other_delimiters(self, tmp_path: Path, name: str, mark: str) -> None:
        path = write(tmp_path / name, f"id{mark}text\n1{mark}a, b\n")
        assert read(path) == [Post("1", "a, b")]

    @pytest.mark.parametrize("end", ["\n", "\r\n"])
    def test_a_table_of_one_column_may_hold_every_delimiter(self, tmp_path: Path, end: str) -> None:
        rows = ["text", "Hello, you; there", '"Quoted, too"', "a\ttab", ""]
        path = write(tmp_path / "in.csv", end.join(rows))
        assert [post.text for post in read(path)] == ["Hello, you; there", "Quoted, too", "a\ttab"]

    def test_excel_tells_the_delimiter(self, tmp_path: Path) -> None:
        path = write(tmp_path / "in.csv", "\ufeffsep=;\r\nid;text\r\n1;a, b\r\n;c\r\n")
        assert read(path) == [Post("1", "a, b"), Post("line-4", "c")]

    def test_lines_of_an_old_mac_are_told(self, tmp_path: Path) -> None:
        with pytest.raises(TableError, match=r"lines of .* end in CR alone. Convert it: tr '\\r' '\\n' < IN > OUT"):
            read(write(tmp_path / "in.csv", "id,text\r1,hello\r"))

    def test_ragged_rows(self, tmp_path: Path) -> None:
        path = write(tmp_path / "in.csv", "id,text\n1,a\n2\n3,b,c\n\n4,d\n")
        posts = read(path)
        assert brief(posts) == [("1", "a"), ("line-3", "!row_ragged"), ("line-4", "!row_ragged"), ("4", "d")]
        assert posts[1].error is not None
        assert "has 1 cell where the header has 2." in posts[1].error.message
        hints = ["row.names=FALSE" in post.error.message for post in posts if post.error]
        assert hints == [False, True], "only a row that is too long is one of R's, or has a delimiter in its text"

    def test_quote_that_never_ends_names_its_lines(self, tmp_path: Path) -> None:
        path = write(tmp_path / "in.csv", 'id,text\n1,a\n2,"b\n3,c\n')
        _, bad, after = read(path)
        assert bad.error is not None
        assert (bad.id, bad.error.code) == ("line-3", "line_malformed")
        assert bad.error.message.startswith("Line 3:")
        assert after == Post("3", "c")

    def test_an_open_quote_does_not_swallow_the_file(self, tmp_path: Path) -> None:
        good = "".join(f'{n},"text {n}, line 1\nline 2"\n' for n in range(5000))
        path = write(tmp_path / "in.csv", f'id,text\na,"open\n{good}')
        posts = read(path)
        # With the first quote open, the next one closes it in the wrong place; only that row is lost.
        assert brief(posts[:1]) == [("line-2", "!line_malformed")]
        assert brief(posts[1:]) == [(str(n), f"text {n}, line 1\nline 2") for n in range(5000)]

    @pytest.mark.parametrize("count", [1999, 2000, 2001, 30_000])
    def test_a_cell_may_have_any_number_of_lines(self, tmp_path: Path, count: int) -> None:
        words = "".join(f"{number},a line of a long post\n" for number in range(count))
        path = write(tmp_path / "in.csv", f'id,text\na,"{words}"\nb,after\n')
        reader = PostReader(path)
        assert list(reader) == [Post("a", words), Post("b", "after")]
        told = f"the row at line 2 has {count + 1:,} lines; if these are many posts, a quote is missing in that line"
        assert reader.warnings == ([told] if count >= 2000 else [])
        with path.open("rb") as stream:
            assert [line for _, line in row_starts(stream, "it")] == [2, 2, count + 3], "a job cuts between posts alone"

    @pytest.mark.parametrize(("name", "bound"), [("MAX_ROW_LINES", 10), ("MAX_ROW_BYTES", 60)])
    def test_a_quote_is_open_for_no_longer_than_memory_allows(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, bound: int
    ) -> None:
        monkeypatch.setattr(f"crossguard.data.delimited_rows.{name}", bound)
        path = write(tmp_path / "in.csv", 'id,text\na,"open\n' + "".join(f"{n},post\n" for n in range(20)) + 'b,"c"\n')
        (bad, *after) = read(path)
        assert bad.error is not None
        assert bad.error.message.startswith("Line 2: not valid CSV; a quote may be missing or misplaced, or a row of")
        assert brief(after) == [*((str(n), "post") for n in range(20)), ("b", "c")]

    @pytest.mark.parametrize("rows", ['%d,"open\n', '%d,"open\nx,b\nx,""\n', '%d,"open\n""\n', '%d,"open\nx,""y\n'])
    def test_however_many_quotes_stay_open_a_line_is_read_few_times(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rows: str
    ) -> None:
        read_lines, following = 0, Lines.__next__

        def counted(lines: Lines) -> str:
            nonlocal read_lines
            read_lines += 1
            return following(lines)

        monkeypatch.setattr(Lines, "__next__", counted)
        content = "id,text\n" + "".join(rows % number for number in range(1000))
        posts = read(write(tmp_path / "in.csv", content))
        assert sum(post.error is not None for post in posts) >= 1000
        assert read_lines < 4 * content.count("\n")

    def test_a_line_that_is_too_long_behind_an_open_quote_costs_no_other(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("crossguard.data.lines.MAX_LINE_BYTES", 100)
        path = write(tmp_path / "in.csv", 'id,text\n1,"open\n2,b\n3,' + "a" * 1000 + "\n4,d\n")
        expected = [("line-2", "!line_malformed"), ("2", "b"), ("line-4", "!line_too_long"), ("4", "d")]
        assert brief(read(path)) == expected
        with path.open("rb") as stream:
            assert [line for _, line in row_starts(stream, "it")] == [2, 2, 3, 4, 5]

    @pytest.mark.parametrize("end", ["\n", "\r\n"])
    def test_a_quote_in_a_table_with_tabs_is_a_mark_unless_it_holds_a_cell(self, tmp_path: Path, end: str) -> None:
        lines = ["id\ttext", '1\t"so he said', "2\tand then", '3\tshe left"', '4\t"hi" he said', '5\t"two\tcells"']
        path = write(tmp_path / "in.tsv", end.join([*lines, '6\t"of two', 'lines"', "", '7\t"open', "8\td"]))
        assert brief(read(path)) == [
            ("1", '"so he said'), ("2", "and then"), ("3", 'she left"'), ("4", '"hi" he said'), ("5", "two\tcells"),
            ("6", f"of two{end}lines"), ("7", '"open'), ("8", "d"),
        ]  # fmt: skip

    def test_an_open_quote_between_tabs_reads_the_same_wherever_the_file_ends(self, tmp_path: Path) -> None:
        path = write(tmp_path / "in.tsv", 'id\ttext\n1\t"open\n2\ta\tragged\n3\tb\n')
        assert brief(read(path)) == [("1", '"open'), ("line-3", "!row_ragged"), ("3", "b")]

    def test_text_after_a_quote(self, tmp_path: Path) -> None:
        path = write(tmp_path / "in.csv", 'id,text\n1,"a"b\n2,c\n')
        assert brief(read(path)) == [("line-2", "!line_malformed"), ("2", "c")]

    def test_invalid_utf8_in_one_row(self, tmp_path: Path) -> None:
        path = write(tmp_path / "in.csv", b"id,text\n1,\xff\n2,\xc3\xa9\n")
        assert brief(read(path)) == [("line-2", "!invalid_utf8"), ("2", "é")]

    def test_nul_comes_through(self, tmp_path: Path) -> None:
        path = write(tmp_path / "in.csv", b"id,text\n1,a\0b\n")
        assert brief(read(path)) == [("1", "a\0b")]

    def test_field_beyond_the_modules_own_limit(self, tmp_path: Path) -> None:
        path = write(tmp_path / "in.csv", "id,text\n1," + "a" * 1_000_000 + "\n")
        (post,) = read(path)
        assert isinstance(post, Post)
        assert len(post.text) == 1_000_000

    def test_line_without_end_is_read_over(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("crossguard.data.lines.MAX_LINE_BYTES", 100)
        path = write(tmp_path / "in.csv", "id,text\n1," + "a" * 1000 + "\n2,b\n")
        assert brief(read(path)) == [("line-2", "!line_too_long"), ("2", "b")]

    def test_missing_column(self, tmp_path: Path) -> None:
        path = write(tmp_path / "in.csv", "id,words\n1,a\n")
        with pytest.raises(TableError, match=r"none of the columns text.*It has: id, words"):
            read(path)
        with pytest.raises(TableError, match=r"no column 'wrds' for text\. Did you mean 'words'"):
            read(path, columns=Columns(text="wrds"))

    def test_doubled_column(self, tmp_path: Path) -> None:
        with pytest.raises(TableError, match="'text' twice"):
            read(write(tmp_path / "in.csv", "id,text,text\n1,a,b\n"))
        assert read(write(tmp_path / "in.csv", "id,text,x,x\n1,a,b,c\n")) == [Post("1", "a")]

    @pytest.mark.parametrize("content", ["\n\n", '"id'])
    def test_no_header(self, tmp_path: Path, content: str) -> None:
        with pytest.raises(TableError, match="header"):
            read(write(tmp_path / "in.csv", content))

    def test_header_alone(self, tmp_path: Path) -> None:
        assert read(write(tmp_path / "in.csv", "id,text\n")) == []
