"""How a task ended, as plain values and as errors again."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, cast

import pytest

from crossguard.data.storage import Entry
from crossguard.errors import ConfigError, CrossguardError, OutputError, StorageError
from crossguard.jobs.tasks import TaskRunner
from crossguard.jobs.units import TASK, Part, Task, Unit
from crossguard.jobs.worker import answer, outcome

PLAIN = TASK.dump_python(Task(Unit(Entry("in/a", 9, 0), "jsonl", index=4, rows=3)))
PART = Part(4, 3, 1, 0.5, {"action": {"allow": 2}, "error": {"post_empty": 1}}, "00000/part-4", 77)


def ended(result: Part | BaseException) -> dict[str, Any]:
    """Returns what a worker says over its pipe."""

    class Runner:
        def run(self, task: Task, progress: Callable[[int], None]) -> Part:
            assert task.unit.index == 4
            progress(3)
            if isinstance(result, BaseException):
                raise result
            return result

    said: dict[str, Any] = json.loads(json.dumps(answer(cast("TaskRunner", Runner()), PLAIN, lambda _: None)))
    return said


def test_a_part_comes_back_whole() -> None:
    assert outcome(ended(PART)) == PART


def test_a_storage_that_is_away_may_be_asked_again() -> None:
    with pytest.raises(StorageError, match="cannot be reached"):
        outcome(ended(StorageError("'x' cannot be reached")))


@pytest.mark.parametrize("error", [ConfigError("another model"), OutputError("the disk is full")])
def test_an_error_keeps_its_words_and_its_exit_code(error: CrossguardError) -> None:
    with pytest.raises(CrossguardError, match=str(error)) as failure:
        outcome(ended(error))
    assert failure.value.exit_code == error.exit_code


def test_a_defect_of_ours_is_shown_with_where_it_happened() -> None:
    with pytest.raises(CrossguardError, match=r"(?s)Traceback.*ZeroDivisionError: by nothing") as failure:
        outcome(ended(ZeroDivisionError("by nothing")))
    assert failure.value.exit_code == 1
