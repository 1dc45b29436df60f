"""The process of a worker: reads tasks from stdin and answers on stdout, a line of JSON each."""

from __future__ import annotations

import json
import os
import queue
import shutil
import signal
import sys
import tempfile
import threading
import traceback
import warnings
from collections.abc import Mapping
from contextlib import suppress
from typing import IO, Any, Final

from crossguard.errors import CrossguardError, StorageError
from crossguard.jobs.spec import JobSpec
from crossguard.jobs.tasks import Progress, TaskRunner
from crossguard.jobs.units import TASK, Part

# What a process ends with that was asked to end.
_TERMINATED: Final = 143
# The folder of all files of this process, if the driver gave one.
_scratch: list[str] = []


def serve() -> None:
    """Loads the model that the first line asks for, then carries out tasks until stdin ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the driver, which ends its workers
    answers = _own_stdout()
    tasks = _tasks()
    first = tasks.get()
    if first["scratch"]:
        _work_in(first["scratch"])
    if first["cores"] and hasattr(os, "sched_setaffinity"):
        with suppress(OSError):
            os.sched_setaffinity(0, first["cores"])
    warnings.filterwarnings("ignore", module="PIL")
    try:
        runner = TaskRunner(JobSpec.from_dict(first["spec"]), first["identity"])
    except Exception as error:  # noqa: BLE001 - the driver shows it
        _say(answers, **fatal(error))
        return
    _say(answers, ready=True)
    while True:
        _say(answers, **answer(runner, tasks.get(), lambda count: _say(answers, posts=count)))


def answer(runner: TaskRunner, plain: Mapping[str, Any], progress: Progress) -> dict[str, Any]:
    """Carries out a task, and says in plain values how it ended; an engine turns them into errors again.

    Returns:
        `part`; or `again`, where the storage did not answer; or `fatal` and `code`, where the job cannot go on.
    """
    try:
        part = runner.run(TASK.validate_python(plain), progress)
    except StorageError as error:
        return {"again": str(error)}
    except Exception as error:  # noqa: BLE001 - the driver shows it
        return fatal(error)
    return {"part": {name: getattr(part, name) for name in part.__slots__}}


def fatal(error: Exception) -> dict[str, Any]:
    """Returns what the job ends with: the words of our errors, and where a defect of ours happened."""
    if isinstance(error, MemoryError):
        os._exit(MEMORY_ENDED)
    if isinstance(error, CrossguardError):
        return {"fatal": str(error), "code": error.exit_code}
    return {"fatal": "".join(traceback.format_exception(error)), "code": 1}


def outcome(answered: Mapping[str, Any]) -> Part:
    """Returns the part, or raises what the task ended with.

    Raises:
        StorageError: The storage did not answer.
    """
    if "part" in answered:
        return Part(**answered["part"])
    if "again" in answered:
        raise StorageError(answered["again"])
    error = CrossguardError(answered["fatal"])
    error.exit_code = answered["code"]
    raise error


# What a process ends with that found no memory.
MEMORY_ENDED = 134


def _own_stdout() -> IO[bytes]:
    """Returns the pipe to the driver; whatever a library prints goes to stderr instead."""
    own = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)
    return own


def _tasks() -> queue.SimpleQueue[dict[str, Any]]:
    """Reads stdin in a thread: when the driver is gone, this process ends in the middle of its work."""
    waiting: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()

    def read() -> None:
        for line in sys.stdin.buffer:
            waiting.put(json.loads(line))
        _leave()

    threading.Thread(target=read, daemon=True).start()
    return waiting


def _say(answers: IO[bytes], **message: Any) -> None:
    try:
        answers.write(json.dumps(message).encode() + b"\n")
    except BrokenPipeError:
        _leave()


def _work_in(scratch: str) -> None:
    """Puts all files of this process, such as the part that it writes, into a folder that goes with it."""
    tempfile.tempdir = scratch
    _scratch.append(scratch)
    signal.signal(signal.SIGTERM, lambda *_: _leave(_TERMINATED))  # which may have ended the driver, too


def _leave(code: int = 0) -> None:
    """Ends this process in the middle of its work; its files go, too, as nobody else may be left to remove them."""
    for folder in _scratch:
        shutil.rmtree(folder, ignore_errors=True)
    os._exit(code)
