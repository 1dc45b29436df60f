from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pytest

from crossguard.pipeline import INFERRED_AHEAD, PREPARED_AHEAD, Pipeline
from crossguard.preprocessing.batch import Prepared
from crossguard.preprocessing.windows import Window
from crossguard.records import Logits, Post


def prepare(posts: Sequence[Post]) -> list[Prepared]:
    return [Prepared(post.id, (Window((1,)),), (), error=post.error) for post in posts]


def infer(posts: Sequence[Prepared]) -> Logits:
    values = np.array([[float(post.id)] for post in posts if post.error is None], dtype=np.float32).reshape(-1, 1)
    return Logits(values, np.zeros(len(values), dtype=np.float32))


def test_batches_come_in_order_with_their_own_logits() -> None:
    posts = [Post(str(index)) for index in range(25)]
    posts[7] = Post.failed("7", "image_empty", "The image is empty.")
    found = list(Pipeline().run(posts, prepare, infer, batch_size=4))
    assert [post.id for prepared, _ in found for post in prepared] == [str(index) for index in range(25)]
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
