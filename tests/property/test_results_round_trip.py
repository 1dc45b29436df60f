"""What is written is read back, and a file cut at any byte is continued to the same bytes."""

from __future__ import annotations

import itertools
import tempfile
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.decisions import DECISIONS, decision

from crossguard.data.outputs import journal_of
from crossguard.data.writing import open_output, read_decisions
from crossguard.labels import HATE
from crossguard.records import Decision

GROWING = ["jsonl", "csv"]


def write(path: Path, decisions: Sequence[Decision]) -> None:
    with open_output(path, HATE.names) as output:
        output.start()
        for row in decisions:
            output.write(row)
        output.finish()


def resume(path: Path, decisions: Sequence[Decision]) -> int:
    """Continues a file as a run does; returns how many rows were there."""
    with open_output(path, HATE.names, resume=True) as output:
        there = list(output.previous())
        assert [row.id for row in there] == [row.id for row in decisions[: len(there)]]
        output.start()
        for row in decisions[len(there) :]:
            output.write(row)
        output.finish()
    return len(there)


@pytest.mark.parametrize("kind", ["jsonl", "csv", "parquet"])
@given(decisions=st.lists(DECISIONS, max_size=6))
@settings(deadline=None, max_examples=60)
def test_written_is_read_back(kind: str, decisions: list[Decision]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"out.{kind}"
        write(path, decisions)
        assert [row.to_dict() for row in read_decisions(path)] == [row.to_dict() for row in decisions]


@pytest.mark.parametrize("kind", GROWING)
@given(decisions=st.lists(DECISIONS, min_size=1, max_size=5), data=st.data())
@settings(deadline=None, max_examples=80)
def test_cut_at_any_byte_and_continued(kind: str, decisions: list[Decision], data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"out.{kind}"
        write(path, decisions)
        whole = path.read_bytes()
        path.write_bytes(whole[: data.draw(st.integers(0, len(whole)), label="bytes kept")])
        resume(path, decisions)
        assert path.read_bytes() == whole


@pytest.mark.parametrize("kind", GROWING)
def test_cut_all_along_two_awkward_rows(kind: str, tmp_path: Path) -> None:
    decisions = [decision('a\n"b",\r\n""c\n'), decision("é\u2028\U0001f600", 0.75)]
    path = tmp_path / f"out.{kind}"
    write(path, decisions)
    whole = path.read_bytes()
    seen = set()
    for kept in (*range(0, len(whole), 7), len(whole)):
        path.write_bytes(whole[:kept])
        seen.add(resume(path, decisions))
        assert path.read_bytes() == whole
    assert seen == {0, 1, 2}


@given(decisions=st.lists(DECISIONS, min_size=1, max_size=4), data=st.data())
@settings(deadline=None, max_examples=40)
def test_parquet_continues_from_its_cut_journal(decisions: list[Decision], data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "out.parquet"
        write(path.with_suffix(".jsonl"), decisions)
        whole = path.with_suffix(".jsonl").read_bytes()
        journal_of(path).write_bytes(whole[: data.draw(st.integers(0, len(whole)), label="bytes kept")])
        resume(path, decisions)
        assert [row.to_dict() for row in read_decisions(path)] == [row.to_dict() for row in decisions]
        assert not journal_of(path).exists()


@given(first=st.lists(DECISIONS, min_size=1, max_size=3), more=st.lists(DECISIONS, max_size=3))
@settings(deadline=None, max_examples=30)
def test_finished_parquet_is_continued_when_posts_were_added(first: list[Decision], more: list[Decision]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "out.parquet"
        write(path, first)
        assert resume(path, [*first, *more]) == len(first)
        expected = [row.to_dict() for row in itertools.chain(first, more)]
        assert [row.to_dict() for row in read_decisions(path)] == expected
