"""Processes that take over work: what they read and write, and how they end."""

from __future__ import annotations

import gc
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from crossguard.worker_process import NICENESS, WorkerProcess

MODULE = """
import os, signal, sys, time
from crossguard.worker_process import give_way, streams

def serve():
    requests, answers = streams()
    print("what a library prints")
    give_way()
    while line := requests.readline():
        word = line.decode().strip()
        if word == "sleep":
            time.sleep(3600)
        told = {"arguments": sys.argv[1:], "nice": os.nice(0), "folder": os.getcwd() in sys.path,
                "threads": os.environ["OMP_NUM_THREADS"], "sigint": signal.getsignal(signal.SIGINT) is signal.SIG_IGN}
        answers.write(f"{told[word]}\\n".encode())
        answers.flush()
"""


@pytest.fixture
def process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[WorkerProcess]:
    (tmp_path / "a_worker_for_tests.py").write_text(MODULE, encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    made = WorkerProcess("a_worker_for_tests", "one", "two words")
    yield made
    made.close()


def ask(process: WorkerProcess, word: str) -> str:
    process.requests.write(f"{word}\n".encode())
    process.requests.flush()
    return process.answers.readline().decode().strip()


def test_it_answers_and_nothing_printed_comes_between(process: WorkerProcess) -> None:
    assert ask(process, "arguments") == "['one', 'two words']"
    assert process.alive
    assert not process.timed_out


def test_it_gives_way_to_others(process: WorkerProcess) -> None:
    assert int(ask(process, "nice")) >= min(os.nice(0) + NICENESS, 19)
    assert ask(process, "threads") == "1"
    assert ask(process, "sigint") == "True", "Ctrl-C is for the other side"


def test_it_imports_nothing_from_the_working_folder(process: WorkerProcess) -> None:
    assert ask(process, "folder") == "False"


def test_it_ends_when_the_other_side_is_gone(process: WorkerProcess) -> None:
    assert ask(process, "arguments")
    process.requests.close()
    assert process.process.wait(20) == 0


def test_a_deadline_kills_it_and_says_so(process: WorkerProcess) -> None:
    assert ask(process, "arguments")
    with process.deadline(0.05):
        assert ask(process, "sleep") == ""
    assert process.timed_out
    assert process.process.wait(20) == -signal.SIGKILL


def test_what_is_done_in_time_is_left_alone(process: WorkerProcess) -> None:
    with process.deadline(3600):
        assert ask(process, "threads") == "1"
    assert not process.timed_out
    assert process.alive


def test_closing_twice_is_no_error(process: WorkerProcess) -> None:
    process.close()
    assert not process.alive
    process.kill()


def test_it_ends_when_nobody_has_it_any_more(process: WorkerProcess) -> None:
    other = WorkerProcess("a_worker_for_tests")
    inner = other.process
    assert ask(other, "threads") == "1"
    del other
    gc.collect()
    assert inner.returncode is not None
    assert process.alive
