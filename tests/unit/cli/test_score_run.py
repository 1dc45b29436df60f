"""What `crossguard score` refuses before it loads a model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import pytest

from crossguard.cli.score_run import Options, refuse_a_text, refuse_to_read_what_is_written
from crossguard.errors import OutputError


def options(out: Path | None) -> Options:
    others: dict[str, Any] = dict.fromkeys(
        ("keep", "resume", "overwrite", "show_text", "verbose", "quiet", "progress"), False
    )
    return Options(out=out, format=None, **others)


@pytest.mark.parametrize("source", ["hello there", "hello", "it's you"])
def test_a_text_in_the_place_of_a_file_gets_the_command_that_scores_it(source: str) -> None:
    with pytest.raises(click.UsageError) as refused:
        refuse_a_text(source)
    quoted = source.replace("'", "'\\''")
    assert f"crossguard score --text '{quoted}'" in str(refused.value)


@pytest.mark.parametrize("name", ["posts.csv", "my posts.csv", "posts"])
def test_a_file_is_one_whatever_its_name(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("text\n")
    refuse_a_text(str(tmp_path / name))
    refuse_a_text("-")
    refuse_a_text("gone.csv")  # whoever opens it says more


@pytest.mark.parametrize("link", [False, True])
def test_the_input_is_never_written_over(tmp_path: Path, *, link: bool) -> None:
    source, out = tmp_path / "posts.jsonl", tmp_path / "out.jsonl"
    source.write_text("{}\n")
    if link:
        out.symlink_to(source)
    with pytest.raises(OutputError, match="is the input itself"):
        refuse_to_read_what_is_written(str(source), options(out if link else source))
    refuse_to_read_what_is_written(str(source), options(tmp_path / "other.jsonl"))
