"""`crossguard score`, called as a person calls it, on the tiny bundle."""

from __future__ import annotations

import base64
import csv
import io
import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image, ImageDraw, ImageFont

from crossguard.bundle import Bundle
from crossguard.cli import COMMANDS, run
from crossguard.data.writing import read_decisions
from crossguard.records import Decision, Post


class Result:
    """What a command said and how it ended."""

    def __init__(self, code: int, out: str, err: str) -> None:
        self.code, self.out, self.err = code, out, err

    @property
    def records(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.out.splitlines()]


Score = Callable[..., Result]


@pytest.fixture
def score(tiny_bundle: Bundle, capfd: pytest.CaptureFixture[str]) -> Score:
    def call(*args: str | Path) -> Result:
        capfd.readouterr()
        code = run(["score", "--model", str(tiny_bundle.folder), *map(str, args)])
        captured = capfd.readouterr()
        return Result(code, captured.out, captured.err)

    return call


@pytest.fixture
def posts(tmp_path: Path) -> Path:
    """Four posts: a text, an image, a missing image, both."""
    picture = Image.fromarray(np.tile(np.arange(64, dtype=np.uint8), (48, 1)))
    picture.save(tmp_path / "a.png")
    rows = [
        {"id": "t", "text": "hello awful people"},
        {"id": "i", "image_path": "a.png"},
        {"id": "m", "image_path": "none.png"},
        {"id": "b", "text": "good morning", "image_path": str(tmp_path / "a.png"), "image_text": "friends"},
    ]
    path = tmp_path / "posts.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


class TestOnePost:
    def test_a_dash_is_no_text(self, score: Score) -> None:
        result = score("--text", "-")
        assert result.code == 2
        assert "To score stdin, a post per line: crossguard score - --input-format txt" in result.err

    def test_text_in_a_pipe_is_one_json_line(self, score: Score) -> None:
        result = score("--text", "hello awful people")
        (record,) = result.records
        assert (result.code, result.err) == (0, "")
        assert (record["id"], record["status"], record["model"], record["policy"]) == (
            "post",
            "scored",
            "tiny",
            "default",
        )
        assert record["modality_weights"] == {"text": 1.0, "image": 0.0}

    @pytest.mark.parametrize("option", ["--text", "--image", "--image-text"])
    def test_what_is_given_twice_is_refused(self, score: Score, option: str) -> None:
        result = score(option, "a", option, "b")
        assert (result.code, result.out) == (2, "")
        assert f"Give {option} once" in result.err

    def test_image_and_both(self, score: Score, posts: Path) -> None:
        picture = posts.with_name("a.png")
        assert score("--image", picture).records[0]["modality_weights"]["image"] == 1.0
        both = score("--text", "good", "--image", picture, "--image-text", "friends").records[0]
        assert both["modality_weights"] == {"text": 0.5, "image": 0.5}

    def test_ocr_fills_in_the_words_of_the_picture(
        self, score: Score, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        pytest.importorskip("rapidocr", reason="needs crossguard[ocr]")
        monkeypatch.setenv("CROSSGUARD_CACHE", str(tmp_path / "cache"))
        picture = Image.new("RGB", (460, 100), "white")
        ImageDraw.Draw(picture).text((20, 20), "HELLO FRIENDS", font=ImageFont.load_default(40), fill="black")
        picture.save(tmp_path / "meme.png")
        without, read = score("--image", tmp_path / "meme.png"), score("--image", tmp_path / "meme.png", "--ocr")
        given = score("--image", tmp_path / "meme.png", "--image-text", "HELLO FRIENDS")
        assert without.records[0]["modality_weights"]["text"] == 0.0
        assert read.records == given.records
        assert list((tmp_path / "cache").rglob("*.txt"))

    def test_words_that_were_read_are_kept_in_every_format(
        self, score: Score, posts: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("crossguard.cli.score_run.word_reader", lambda: nullcontext(_reads("all together")))
        picture = posts.with_name("a.png")
        (tmp_path / "in.csv").write_text("id,text,image_path\ni,hello,a.png\n")
        for given in (["--text", "hello", "--image", picture], [tmp_path / "in.csv"], [tmp_path]):
            for suffix in ("csv", "parquet", "jsonl"):
                out = tmp_path / f"out.{suffix}"
                assert score(*given, "--ocr", "--keep", "--overwrite", "-o", out).code == 0
                (row,) = read_decisions(out)
                assert row.input["image_text"] == "all together"

    def test_to_a_terminal_with_masked_words(self, score: Score, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("sys.stdout.isatty", lambda: True)
        text = "hello you awful people"
        masked, shown = score("--text", text), score("--text", text, "--show-text")
        assert "h**** you a**** p*****" in masked.out
        assert "awful" not in masked.out
        assert text in shown.out
        for word in ("racist", "threshold", "tiny 1.0.0", "policy default 1"):
            assert word in masked.out

    def test_to_a_file(self, score: Score, tmp_path: Path) -> None:
        assert score("--text", "hello", "-o", tmp_path / "out.csv").code == 0
        assert [row.id for row in read_decisions(tmp_path / "out.csv")] == ["post"]

    @pytest.mark.parametrize(
        "option",
        [
            ("--resume",),
            ("--limit", 1),
            ("--on-error", "stop"),
            ("--id-column", "key"),
            ("--workers", 2),
            ("--dry-run",),
            ("--fetch-origin", "https://a.example"),
        ],
    )
    def test_what_does_nothing_for_one_post_is_refused_and_no_file_is_touched(
        self, score: Score, tmp_path: Path, option: tuple[str, ...]
    ) -> None:
        out = tmp_path / "out.jsonl"
        out.write_text("what an earlier run wrote\n")
        result = score("--text", "hello", "-o", out, *option)
        assert (result.code, result.out) == (2, "")
        assert f"{option[0]} does nothing for one post" in result.err
        assert out.read_text() == "what an earlier run wrote\n"

    @pytest.mark.parametrize(
        ("make", "message"),
        [
            (lambda folder: folder / "none.png", "No such image"),
            (lambda folder: folder, "is a folder"),
            (lambda folder: _file(folder / "e.png", b""), "is empty"),
            (lambda folder: _file(folder / "t.png", b"hello"), "Not an image"),
            (lambda _: "https://example.org/a.png", "never fetched"),
        ],
    )
    def test_bad_image_is_one_line(self, score: Score, tmp_path: Path, make: Any, message: str) -> None:
        result = score("--image", make(tmp_path))
        assert result.code == 3
        assert result.out == ""
        assert result.err.startswith("Error: ")
        assert message in result.err
        assert result.err.count("\n") == 1

    def test_empty_post(self, score: Score) -> None:
        result = score("--text", " \u200b ")
        assert result.code == 3
        assert "nothing to score" in result.err


def _reads(words: str) -> Callable[[Iterator[Post]], Iterator[Post]]:
    return lambda posts: (replace(post, image_text=words) for post in posts)


def _file(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


class TestTables:
    def test_pipe_gives_json_lines_in_order_and_a_summary_on_stderr(self, score: Score, posts: Path) -> None:
        result = score(posts)
        assert [(record["id"], record["status"]) for record in result.records] == [
            ("t", "scored"),
            ("i", "scored"),
            ("m", "failed"),
            ("b", "scored"),
        ]
        assert result.code == 0
        assert "4 posts" in result.err
        assert "not scored: 1 (image_not_found 1)" in result.err

    def test_quiet_says_nothing_and_verbose_names_the_failed(self, score: Score, posts: Path) -> None:
        assert score(posts, "--quiet").err == ""
        assert "m: image_not_found: No such image" in score(posts, "--verbose").err

    @pytest.mark.parametrize("kind", ["jsonl", "csv", "parquet"])
    def test_every_input_and_output_format_gives_the_same(
        self, score: Score, posts: Path, tmp_path: Path, kind: str
    ) -> None:
        expected = score(posts).records
        source = posts
        rows = [json.loads(line) for line in posts.read_text().splitlines()]
        columns = ("id", "text", "image_path", "image_text")
        if kind == "csv":
            source = tmp_path / "posts.csv"
            with source.open("w", newline="") as file:
                writer = csv.DictWriter(file, columns)
                writer.writeheader()
                writer.writerows(rows)
        elif kind == "parquet":
            source = tmp_path / "posts.parquet"
            pq.write_table(pa.table({name: [row.get(name) for row in rows] for name in columns}), source)
        out = tmp_path / f"out.{kind}"
        assert score(source, "-o", out).out == ""
        assert [outcome.to_dict() for outcome in read_decisions(out)] == expected

    def test_csv_in_a_pipe(self, score: Score, posts: Path) -> None:
        rows = list(csv.DictReader(io.StringIO(score(posts, "--format", "csv").out)))
        assert [row["id"] for row in rows] == ["t", "i", "m", "b"]

    def test_folder(self, score: Score, posts: Path) -> None:
        result = score(posts.parent)
        assert [record["id"] for record in result.records] == ["a.png"]
        assert "1 file was left out" in result.err

    def test_stdin(self, score: Score, posts: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(posts.parent)
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(posts.read_bytes())))
        assert [record["status"] for record in score("-").records] == ["scored", "scored", "failed", "scored"]

    def test_renamed_columns_and_image_root(self, score: Score, tmp_path: Path) -> None:
        Image.new("RGB", (40, 30), "navy").save(tmp_path / "a.png")
        (tmp_path / "deep").mkdir()
        source = tmp_path / "deep" / "in.csv"
        source.write_text("key,body,pic\n1,hello,a.png\n")
        options = ("--id-column", "key", "--text-column", "body", "--image-path-column", "pic")
        (record,) = score(source, *options, "--image-root", tmp_path).records
        assert (record["id"], record["modality_weights"]) == ("1", {"text": 0.5, "image": 0.5})

    def test_bytes_column_and_data_url(self, score: Score, posts: Path, tmp_path: Path) -> None:
        picture = posts.with_name("a.png").read_bytes()
        table = pa.table({"id": ["b"], "image": [picture]})
        pq.write_table(table, tmp_path / "in.parquet")
        url = f"data:image/png;base64,{base64.b64encode(picture).decode()}"
        (tmp_path / "in.jsonl").write_text(json.dumps({"id": "b", "image_path": url}))
        from_path = next(record for record in score(posts).records if record["id"] == "i")["labels"]
        assert score(tmp_path / "in.parquet").records[0]["labels"] == from_path
        assert score(tmp_path / "in.jsonl").records[0]["labels"] == from_path

    def test_what_does_nothing_for_one_file_is_refused(self, score: Score, posts: Path) -> None:
        assert "--fetch-private does nothing without --fetch-origin" in score(posts, "--fetch-private").err
        many = score(posts, posts, "--fetch-private", "-o", posts.parent / "parts")
        assert many.code == 2
        assert "--fetch-private does nothing without --fetch-origin" in many.err
        told = score(posts, "--resume", "-o", "-")
        assert (told.code, told.out) == (2, "")
        assert "--resume continues a file, so it needs --out" in told.err

    def test_limit_batch_size_policy_and_threads(self, score: Score, posts: Path) -> None:
        result = score(posts, "--limit", 2, "--batch-size", 1, "--policy", "benchmark", "--threads", 1)
        assert [(record["id"], record["policy"]) for record in result.records] == [
            ("t", "benchmark"),
            ("i", "benchmark"),
        ]

    def test_megabytes_of_text_nul_and_zero_width_characters(self, score: Score, tmp_path: Path) -> None:
        texts = ["hello " * 200_000, "a\0w\u200bful", "x" * 1_000_000]
        lines = [json.dumps({"id": index, "text": text}) for index, text in enumerate(texts)]
        (tmp_path / "in.jsonl").write_text("\n".join(lines))
        records = score(tmp_path / "in.jsonl").records
        assert [record["status"] for record in records] == ["scored"] * 3
        assert records[0]["notes"] == ["text_truncated"]

    def test_terminal_shows_a_table_with_masked_words(
        self, score: Score, posts: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("COLUMNS", "120")
        monkeypatch.setattr("sys.stdout.isatty", lambda: True)
        result = score(posts)
        lines = [line for line in result.out.splitlines() if line.strip()]
        assert [line.split()[0] for line in lines[2:]] == ["t", "i", "m", "b"]
        assert "awful" not in result.out
        assert "image_not_found" in result.out

    def test_text_cannot_steer_the_terminal(
        self, score: Score, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("TERM", "dumb")  # so that no colour of ours is in the way
        monkeypatch.setattr("sys.stdout.isatty", lambda: True)
        (tmp_path / "in.jsonl").write_text(json.dumps({"id": "\x1b[2Jx", "text": "\x1b]0;title\x07 [red]good"}))
        out = score(tmp_path / "in.jsonl", "--show-text").out
        assert "[2Jx" in out
        assert "[red]" in out
        assert not set("\x1b\x07") & set(out)

    @pytest.mark.parametrize("kind", ["csv", "jsonl"])
    def test_nothing_steers_the_terminal_that_shows_rows(
        self, kind: str, score: Score, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        rows = [{"id": "\x1b]0;x\x07\x9b2Jx\u202e", "text": "one\ntwo", "\x1b[2J": "y"}, {"id": "2", "text": "hi"}]
        (tmp_path / "in.jsonl").write_text("\n".join(map(json.dumps, rows)))
        asked = (tmp_path / "in.jsonl", "--format", kind, "--keep", "-q")
        piped = score(*asked).out
        monkeypatch.setattr("sys.stdout.isatty", lambda: True)
        shown = score(*asked).out
        assert {"\x9b", "\u202e"} <= set(piped), "as it is, for a file or another program"
        assert not set("\x1b\x07\x9b\u202e") & set(shown)
        assert ("2Jx" in shown, shown.count("\n")) == (True, piped.count("\n"))


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder, with a table and an empty one."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "in.jsonl").write_text('{"id": "1", "text": "hello"}\n')
    (tmp_path / "empty.csv").touch()
    return tmp_path


def test_reader_of_the_pipe_may_leave(tiny_bundle: Bundle, tmp_path: Path) -> None:
    source = tmp_path / "in.jsonl"
    source.write_text('{"text": "hello"}\n' * 5_000)
    command = [sys.executable, "-m", "crossguard", "score", "--model", str(tiny_bundle.folder), str(source)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert b"scored" in process.stdout.readline()
        process.stdout.close()
        assert process.wait(timeout=60) == 141
        assert process.stderr.read() == b""


@pytest.mark.parametrize(
    "line",
    [
        "- -o in.jsonl --overwrite < in.jsonl",
        "in.jsonl >> in.jsonl",
        "- < in.jsonl >> in.jsonl",
        "- < in.jsonl >> link",
    ],
)
def test_redirections_never_make_the_input_the_output(tiny_bundle: Bundle, tmp_path: Path, line: str) -> None:
    source = tmp_path / "in.jsonl"
    source.write_text('{"text": "hello"}\n' * 50)
    (tmp_path / "link").symlink_to(source)
    command = f"{sys.executable} -m crossguard score --model {tiny_bundle.folder} {line}"
    done = subprocess.run(command, shell=True, cwd=tmp_path, capture_output=True, text=True, check=False)  # noqa: S602
    assert done.returncode == 7
    assert "is the input itself" in done.stderr
    assert source.read_text() == '{"text": "hello"}\n' * 50


def test_verbose_says_which_runtime_is_used_and_why(tiny_bundle: Bundle) -> None:
    command = [sys.executable, "-m", "crossguard", "score", "--model", str(tiny_bundle.folder), "--text", "hello", "-v"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert re.search(r"openvino \S+ \(fp32\) on .*: the bundle allows fp32 only", done.stderr)
    assert json.loads(done.stdout)["status"] == "scored"


def test_exact_pixels_and_bf16_score_nearly_the_same(score: Score, posts: Path) -> None:
    plain, exact, half = score(posts), score(posts, "--pixels", "exact"), score(posts, "--precision", "bf16")
    for other in (exact, half):
        for record, twin in zip(plain.records, other.records, strict=True):
            for name, label in record.get("labels", {}).items():
                assert twin["labels"][name]["score"] == pytest.approx(label["score"], abs=0.02)


def test_progress_bar_does_not_touch_the_results(score: Score, posts: Path) -> None:
    assert score(posts, "--progress").records == score(posts).records


class TestErrors:
    def test_on_error_skip_leaves_out(self, score: Score, posts: Path) -> None:
        result = score(posts, "--on-error", "skip")
        assert [record["id"] for record in result.records] == ["t", "i", "b"]
        assert "not scored: 1" in result.err

    def test_on_error_stop_keeps_what_is_done(self, score: Score, posts: Path, tmp_path: Path) -> None:
        out = tmp_path / "out.jsonl"
        result = score(posts, "--on-error", "stop", "-o", out)
        assert result.code == 3
        assert result.err.startswith("Error: Post 'm' cannot be scored (image_not_found)")
        assert [row.id for row in read_decisions(out)] == ["t", "i"]
        Image.new("RGB", (9, 9)).save(tmp_path / "none.png")
        assert score(posts, "-o", out, "--resume").code == 0
        assert [(row.id, row.ok) for row in read_decisions(out)] == [(id_, True) for id_ in "timb"]

    @pytest.mark.parametrize(("options", "code"), [((), 0), (("--on-error", "stop"), 3)])
    def test_no_words_are_read_after_the_end(
        self, score: Score, posts: Path, monkeypatch: pytest.MonkeyPatch, options: tuple[str, ...], code: int
    ) -> None:
        closed: list[bool] = []
        kept: list[object] = []

        class Reader:
            fill = staticmethod(_reads("words"))

            def close(self) -> None:
                closed.append(True)

        monkeypatch.setattr("crossguard.data.ocr.WordReader", Reader)
        monkeypatch.setattr("crossguard.cli.score_run.until_exit", kept.append)
        assert score(posts, "--ocr", *options).code == code
        assert closed == [True]
        assert len(kept) == (code > 0)  # for a process that then ends at once

    def test_nothing_could_be_scored(self, score: Score, tmp_path: Path) -> None:
        (tmp_path / "in.jsonl").write_text('{"id": "1", "image_path": "a.png"}\n{broken\n')
        result = score(tmp_path / "in.jsonl")
        assert result.code == 8
        assert [record["status"] for record in result.records] == ["failed", "failed"]

    @pytest.mark.parametrize(
        ("args", "code", "message"),
        [
            ((), 2, "Give INPUT"),
            (("in.jsonl", "--text", "a"), 2, "Give INPUT"),
            (("in.jsonl", "--resume"), 2, "needs --out"),
            (("in.jsonl", "-o", "o.jsonl", "--resume", "--overwrite"), 2, "Choose one"),
            (("in.jsonl", "--limit", "0"), 2, "--limit"),
            (("none.jsonl",), 3, "No such file"),
            (("in.jsonl", "--text-column", "txt"), 3, "no column 'txt'"),
            (("empty.csv",), 3, "empty"),
            (("in.jsonl", "--model", "nonsuch-model"), 4, "nonsuch-model"),
            (("in.jsonl", "--policy", "nonsuch"), 5, "nonsuch"),
            (("in.jsonl", "--runtime", "nonsuch"), 5, "nonsuch"),
            (("in.jsonl", "-o", "o.jsonl", "--resume", "--on-error", "skip"), 5, "--on-error record"),
            (("in.jsonl", "-o", "no/where/o.jsonl"), 7, "mkdir -p"),
            (("in.jsonl", "-o", "in.jsonl"), 7, "the input itself"),
            (("in.jsonl", "-o", "o.txt"), 7, "--format"),
            (("in.jsonl", "--format", "parquet"), 7, "stdout"),
            (("in.jsonl", "--format", "jsonl", "-o", "/dev/full"), 7, "No space left"),
        ],
    )
    def test_exit_codes(self, score: Score, folder: Path, args: tuple[str, ...], code: int, message: str) -> None:
        result = score(*args)
        assert result.code == code
        assert message in result.err
        assert "Traceback" not in result.err
        assert (folder / "in.jsonl").read_text() == '{"id": "1", "text": "hello"}\n'


class TestResume:
    def test_continues_and_says_so(self, score: Score, posts: Path, tmp_path: Path) -> None:
        out = tmp_path / "out.jsonl"
        score(posts, "-o", out)
        whole = out.read_bytes()
        out.write_bytes(whole[:-30])
        result = score(posts, "-o", out, "--resume")
        assert "1 post after 3 of an earlier run" in result.err
        assert out.read_bytes() == whole

    def test_of_another_input_model_or_policy_is_refused(self, score: Score, posts: Path, tmp_path: Path) -> None:
        out = tmp_path / "out.jsonl"
        score(posts, "-o", out)
        before = out.read_bytes()
        result = score(posts, "-o", out, "--resume", "--policy", "benchmark")
        assert result.code == 7
        assert "under policy default 1 on openvino" in result.err
        assert "this run uses model tiny 1.0.0 under policy benchmark 1 on openvino" in result.err
        first = posts.read_text().splitlines()[0]
        posts.write_text(f'{first}\n{{"id": "x", "text": "hello"}}\n')
        assert "row 2 of the output is post 'i'" in score(posts, "-o", out, "--resume").err
        posts.write_text(f"{first}\n")
        assert "more rows than this run has posts" in score(posts, "-o", out, "--resume").err
        assert out.read_bytes() == before

    def test_never_overwrites_by_accident(self, score: Score, posts: Path, tmp_path: Path) -> None:
        out = tmp_path / "out.jsonl"
        score(posts, "-o", out)
        assert score(posts, "-o", out).code == 7
        assert score(posts, "-o", out, "--overwrite", "--limit", 1).code == 0
        assert len(out.read_text().splitlines()) == 1

    def test_ctrl_c_leaves_a_file_to_continue(
        self, score: Score, posts: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from crossguard.scoring import Summary

        out = tmp_path / "out.jsonl"
        count = Summary.add

        def press(summary: Summary, outcome: Decision) -> None:
            count(summary, outcome)
            if summary.posts == 2:
                raise KeyboardInterrupt

        with monkeypatch.context() as patch:
            patch.setattr(Summary, "add", press)
            result = score(posts, "-o", out)
        assert result.code == 130
        assert "Stopped after 2 posts" in result.err
        assert "--resume" in result.err
        assert [row.id for row in read_decisions(out)] == ["t", "i"]
        assert score(posts, "-o", out, "--resume").code == 0
        assert [row.id for row in read_decisions(out)] == ["t", "i", "m", "b"]


class TestFirstContact:
    def test_an_output_that_is_given_as_an_input_is_told_how_to_write_it(self, score: Score, posts: Path) -> None:
        result = score(posts, "decisions.csv")
        assert result.code == 2
        assert f"crossguard score {posts} -o decisions.csv" in result.err

    @pytest.mark.parametrize(
        ("content", "words"),
        [
            (b"PK\x03\x04\x14", "an Excel workbook"),
            (b"\x1f\x8b\x08", "zcat"),
            (b"PAR1", "Parquet"),
            (b"Good morning\nGood evening\n", "--input-format txt"),
        ],
    )
    def test_what_stdin_cannot_be_says_what_to_do(
        self, score: Score, monkeypatch: pytest.MonkeyPatch, content: bytes, words: str
    ) -> None:
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BufferedReader(io.BytesIO(content))))
        result = score("-")
        assert result.code == 3
        assert words in result.err

    @pytest.mark.parametrize("name", COMMANDS)
    def test_help_has_no_literal_escapes(self, capsys: pytest.CaptureFixture[str], name: str) -> None:
        assert run([name, "--help"]) == 0
        assert "\\b" not in capsys.readouterr().out


class TestKeep:
    def test_results_keep_texts_and_say_where_they_are(self, score: Score, tmp_path: Path) -> None:
        source = tmp_path / "in.csv"
        source.write_text("ID,Comment,likes\n12345678901234567890,hello,3\n2,good,4\n")
        result = score(source, "--keep", "-o", tmp_path / "out.csv")
        assert f"decisions: {tmp_path / 'out.csv'}" in result.err
        assert "column 'Comment' is read as text" in result.err
        assert "Excel rounds them" in result.err
        rows = list(csv.DictReader(io.StringIO((tmp_path / "out.csv").read_text())))
        assert [(row["id"], row["input_text"], row["input_likes"]) for row in rows] == [
            ("12345678901234567890", "hello", "3"),
            ("2", "good", "4"),
        ]

    def test_a_page_at_once_and_afterwards(self, score: Score, posts: Path, tmp_path: Path) -> None:
        assert score(posts, "-o", tmp_path / "out.html").code == 0
        score(posts, "-o", tmp_path / "out.jsonl", "--keep")
        arguments = ["report", str(tmp_path / "out.jsonl"), "--posts", str(posts), "-o", str(tmp_path / "late.html")]
        assert run(arguments) == 0
        assert run(arguments) == 7
        assert run(["report", str(tmp_path / "none.jsonl")]) == 3
        for name in ("out.html", "late.html"):
            page = (tmp_path / name).read_text()
            assert page.count("data:image/jpeg;base64,") == 2
            assert "hello" in page

    def test_resume_refuses_changed_posts_and_another_runtime(self, score: Score, posts: Path, tmp_path: Path) -> None:
        out = tmp_path / "out.jsonl"
        score(posts, "-o", out, "--limit", 2)
        before = out.read_text()
        posts.write_text(posts.read_text().replace("hello", "hullo"))
        result = score(posts, "-o", out, "--resume")
        assert result.code == 7
        assert "its text or image changed" in result.err
        out.write_text(before.replace("openvino", "onnx"))
        posts.write_text(posts.read_text().replace("hullo", "hello"))
        assert "on onnx" in score(posts, "-o", out, "--resume").err
