from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from crossguard.bundle import Bundle
from crossguard.preprocessing.text import TextEncoder
from crossguard.preprocessing.text_worker import TextWorker
from crossguard.worker_process import NICENESS

LONG = "hello w0rld you are all p.e.o.p.l.e " * 200


@pytest.fixture
def worker(tiny_bundle: Bundle) -> Iterator[TextWorker]:
    worker = TextWorker(tiny_bundle.tokenizer, tiny_bundle.manifest.text, ["en"])
    yield worker
    worker.close()


@pytest.mark.parametrize(
    ("text", "image_text"), [(LONG, ""), (LONG, LONG), ("", "hello \ud800 you"), ("\u200b" * 5000, ""), ("", "")]
)
def test_texts_become_the_same_on_either_side(
    tiny_bundle: Bundle, worker: TextWorker, text: str, image_text: str
) -> None:
    encoder = TextEncoder(tiny_bundle.tokenizer, tiny_bundle.manifest.text, ["en"])
    assert worker.encode(text, image_text) == encoder.encode([(text, image_text)])[0]


def test_it_gives_way_to_others(worker: TextWorker) -> None:
    worker.encode("hello", "")
    assert worker._process is not None
    assert os.getpriority(os.PRIO_PROCESS, worker._process.process.pid) >= min(os.nice(0) + NICENESS, 19)


def test_a_process_that_ends_takes_only_its_text(worker: TextWorker) -> None:
    expected = worker.encode("hello", "")
    assert worker._process is not None
    worker._process.kill()
    worker._process.process.wait()
    with pytest.raises(RuntimeError, match="ended"):
        worker.encode("hello", "")
    assert worker.encode("hello", "") == expected


def test_nothing_starts_after_the_end(worker: TextWorker) -> None:
    worker.encode("hello", "")
    process = worker._process
    assert process is not None
    worker.close()
    assert not process.alive
    with pytest.raises(RuntimeError, match="stopped"):
        worker.encode("hello", "")
