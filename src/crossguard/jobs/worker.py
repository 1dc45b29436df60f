"""The process of a worker: reads tasks from stdin and answers on stdout, a line of JSON each."""

from __future__ import annotations

import json
import os
import queue
import signal
import sys
import threading
import traceback
import warnings
from contextlib import suppress
from typing import IO, Any

from crossguard.errors import CrossguardError, StorageError
from crossguard.jobs.spec import JobSpec
from crossguard.jobs.tasks import TaskRunner
from crossguard.jobs.units import Task


def serve() -> None:
    """Loads the model that the first line asks for, then carries out tasks until stdin ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the driver, which ends its workers
    answers = _own_stdout()
    tasks = _tasks()
    first = tasks.get()
    if first["cores"] and hasattr(os, "sched_setaffinity"):
        with suppress(OSError):
            os.sched_setaffinity(0, first["cores"])
    warnings.filterwarnings("ignore", module="PIL")
    try:
        runner = TaskRunner(JobSpec.from_dict(first["spec"]), first["identity"])
    except CrossguardError as error:
        _say(answers, fatal=str(error), code=error.exit_code)
        return
    _say(answers, ready=True)
    while True:
        task = Task.from_dict(tasks.get())
        try:
            part = runner.run(task, lambda count: _say(answers, posts=count))
            _say(answers, part={name: getattr(part, name) for name in part.__slots__})
        except StorageError as error:
            _say(answers, again=str(error))
        except CrossguardError as error:
            _say(answers, fatal=str(error), code=error.exit_code)
        except MemoryError:
            os._exit(MEMORY_ENDED)
        except Exception:  # noqa: BLE001 - a defect of ours; the driver shows it
            _say(answers, fatal=traceback.format_exc(), code=1)


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
        os._exit(0)

    threading.Thread(target=read, daemon=True).start()
    return waiting


def _say(answers: IO[bytes], **message: Any) -> None:
    answers.write(json.dumps(message).encode() + b"\n")
