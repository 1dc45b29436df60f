"""What `crossguard score` refuses before it loads a model."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import click
import pytest

from crossguard.cli.score_run import (
    Options,
    names_files,
    refuse_a_text,
    refuse_to_read_what_is_written,
    tell_of_a_file,
)
from crossguard.errors import OutputError, TableError


def options(out: Path | None) -> Options:
    others: dict[str, Any] = dict.fromkeys(
        ("keep", "resume", "overwrite", "show_text", "verbose", "quiet", "progress"), False
    )
    return Options(out=out, format=None, **others)


@pytest.mark.parametrize("source", ["hello there", "hello", "it's you"])
def test_a_text_in_the_place_of_a_file_gets_the_command_that_scores_it(source: str) -> None:
    with pytest.raises(click.UsageError) as refused:
        refuse_a_text([source])
    quoted = source.replace("'", "'\\''")
    assert f"crossguard score --text '{quoted}'" in str(refused.value)


@pytest.mark.parametrize("source", ["I do not know what to think about this. " * 8, "x" * 300])
def test_a_text_that_is_too_long_for_a_name_is_one(source: str) -> None:
    with pytest.raises(click.UsageError) as refused:
        refuse_a_text([source])
    assert f"crossguard score --text '{source[:50]}" in str(refused.value)
    assert len(str(refused.value)) < 300


@pytest.mark.parametrize(
    ("name", "how"),
    [
        ("posts.csv", "crossguard score posts.csv"),
        ("my meme.png", "crossguard score --image 'my meme.png'"),
        ("letter", 'crossguard score --text "$(cat letter)"'),
    ],
)
def test_a_text_that_is_the_name_of_a_file_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], name: str, how: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder").mkdir()
    for text in ("", name, "folder", "x" * 5000, "a\0b"):
        tell_of_a_file(text, options(None))
    assert capsys.readouterr().err == ""
    (tmp_path / name).touch()
    tell_of_a_file(name, options(None))
    assert capsys.readouterr().err == (
        f"note: '{name}' is scored as a text, and is the name of a file. To score that: {how}\n"
    )
    tell_of_a_file(name, replace(options(None), quiet=True))
    assert capsys.readouterr().err == ""


def test_patterns_and_addresses_are_no_texts(tmp_path: Path) -> None:
    (tmp_path / "my [best] posts").mkdir()
    (tmp_path / "my [best] posts" / "a.csv").touch()
    for source in ("-", "s3://bucket/my posts/*", "hdfs://host/posts", f"{tmp_path}/my [best] posts/*.csv"):
        assert names_files(source), source
        refuse_a_text([source])
    for source in (
        f"{tmp_path}/my [best] posts/*.jsonl",
        "what the f***",
        "~nobody is here?",
        "http://a.example",
        "*" + "x" * 300,
    ):
        assert not names_files(source), source


@pytest.mark.parametrize("name", ["posts.csv", "my posts.csv", "posts"])
def test_a_file_is_one_whatever_its_name(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("text\n")
    refuse_a_text([str(tmp_path / name)])
    refuse_a_text(["-"])
    refuse_a_text(["gone.csv"])  # whoever opens it says more


@pytest.mark.parametrize("link", [False, True])
def test_the_input_is_never_written_over(tmp_path: Path, *, link: bool) -> None:
    source, out = tmp_path / "posts.jsonl", tmp_path / "out.jsonl"
    source.write_text("{}\n")
    if link:
        out.symlink_to(source)
    with pytest.raises(OutputError, match="is the input itself"):
        refuse_to_read_what_is_written(str(source), options(out if link else source))
    refuse_to_read_what_is_written(str(source), options(tmp_path / "other.jsonl"))


def test_a_closed_stdin_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", None)
    with pytest.raises(TableError, match="stdin is closed"):
        refuse_to_read_what_is_written("-", options(None))
