from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pytest

from crossguard.pipeline import INFERRED_AHEAD, PREPARED_AHEAD, Pipeline
from crossguard.preparation import Work
from crossguard.preprocessing.batch import Prepared
from crossguard.preprocessing.windows import Window
from crossguard.records import Logits, Post, Skipped


def prepare(entries: Sequence[Post | Skipped]) -> Work:
    return Work([entry if isinstance(entry, Skipped) else Prepared(entry.id, (Window((1,)),), ()) for entry in entries])


def infer(posts: Sequence[Prepared]) -> Logits:
    values = np.array([[float(post.id)] for post in posts], dtype=np.float32).reshape(-1, 1)
    return Logits(values, np.zeros(len(posts), dtype=np.float32))


def test_batches_come_in_order_with_their_own_logits() -> None:
    entries: list[Post | Skipped] = [Post(str(index)) for index in range(25)]
    entries[7] = Skipped("7", "image_empty", "The image is empty.")
    found = list(Pipeline().run(entries, prepare, infer, batch_size=4))
    assert [entry.id for work, _ in found for entry in work.entries] == [str(index) for index in range(25)]
    assert [int(value) for _, logits in found for value in logits.values[:, 0]] == [*range(7), *range(8, 25)]


def test_input_is_read_only_a_few_batches_ahead() -> None:
    read = 0

    def endless() -> Iterator[Post]:
        nonlocal read
        while True:
            read += 1
            yield Post(str(read))

    batches = Pipeline().run(endless(), prepare, infer, batch_size=10)
    for done in range(1, 5):
        next(batches)
        assert read <= 10 * (done + PREPARED_AHEAD + INFERRED_AHEAD)


def test_an_error_of_a_stage_reaches_the_caller() -> None:
    def fail(_: Sequence[Prepared]) -> Logits:
        raise MemoryError("no memory left")

    with pytest.raises(MemoryError, match="no memory left"):
        list(Pipeline().run([Post("1")], prepare, fail))
