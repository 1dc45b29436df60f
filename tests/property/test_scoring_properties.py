"""A whole table keeps its order and ids, and a run that was killed goes on as if it had not been."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crossguard.bundle import Bundle
from crossguard.data.tables import PostReader
from crossguard.data.writing import open_output, read_decisions
from crossguard.moderator import Moderator
from crossguard.scoring import score_table

# Lines of a table as people have them: good posts, posts that cannot be scored, and lines that are no posts.
POSTS = st.fixed_dictionaries(
    {"text": st.sampled_from(["hello", "awful people", "", "i love you all", "\u200b"])},
    optional={"id": st.one_of(st.integers(0, 3), st.text(max_size=4)), "image_path": st.just("none.png")},
).map(lambda post: json.dumps(post).encode())
LINES = st.one_of(POSTS, POSTS, POSTS, st.sampled_from([b"{broken", b"\xff", b"[]", b"", b'{"text": 1.5}']))

RUN = settings(deadline=None, max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])


def score(moderator: Moderator, source: Path, target: Path, *, resume: bool = False) -> None:
    with open_output(target, moderator.labels.names, resume=resume) as output:
        score_table(moderator, PostReader(source), output, resume=resume, batch_size=3)


@given(lines=st.lists(LINES, max_size=12))
@RUN
def test_every_post_has_its_row_in_order(tiny: Moderator, lines: list[bytes]) -> None:
    with tempfile.TemporaryDirectory() as name:
        source, target = Path(name) / "in.jsonl", Path(name) / "out.jsonl"
        source.write_bytes(b'{"text": "first"}\n' + b"\n".join(lines))
        score(tiny, source, target)
        assert [row.id for row in read_decisions(target)] == [entry.id for entry in PostReader(source)]


@pytest.mark.parametrize("kind", ["jsonl", "csv"])
@given(lines=st.lists(LINES, max_size=8), data=st.data())
@RUN
def test_resumed_equals_one_run(tiny: Moderator, kind: str, lines: list[bytes], data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as name:
        source, target = Path(name) / "in.jsonl", Path(name) / f"out.{kind}"
        source.write_bytes(b'{"text": "first"}\n' + b"\n".join(lines))
        score(tiny, source, target)
        whole = target.read_bytes()
        target.write_bytes(whole[: data.draw(st.integers(0, len(whole)), label="bytes kept")])
        score(tiny, source, target, resume=True)
        assert target.read_bytes() == whole


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["jsonl", "csv", "parquet"])
def test_killed_runs_end_with_the_rows_of_one_run(tiny_bundle: Bundle, tmp_path: Path, kind: str) -> None:
    source = tmp_path / "in.jsonl"
    source.write_text("".join(json.dumps({"id": n, "text": f"hello {n}"}) + "\n" for n in range(4_000)))
    whole, target = tmp_path / f"whole.{kind}", tmp_path / f"out.{kind}"
    command = [sys.executable, "-m", "crossguard", "score", "--model", str(tiny_bundle.folder), str(source), "-q"]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    subprocess.run([*command, "-o", str(whole)], check=True, env=environment)
    growing = tmp_path / f"{target.name}.journal" if kind == "parquet" else target
    sizes = []
    for _ in range(2):
        process = subprocess.Popen([*command, "-o", str(target), "--resume"], env=environment)
        before = growing.stat().st_size if growing.exists() else 0
        while process.poll() is None and (not growing.exists() or growing.stat().st_size < before + 200_000):
            time.sleep(0.005)
        process.send_signal(signal.SIGKILL)
        process.wait()
        sizes.append(growing.stat().st_size)
    assert sizes == sorted(set(sizes)), "each killed run came further than the one before"
    subprocess.run([*command, "-o", str(target), "--resume"], check=True, env=environment)
    rows = [row.to_dict() for row in read_decisions(target)]
    assert rows == [row.to_dict() for row in read_decisions(whole)]
    assert len(rows) == 4_000
