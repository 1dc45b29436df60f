from __future__ import annotations

import asyncio
import errno
import io
import logging
import threading
from typing import Any

import pytest
from tests.support.loops import in_loop

from crossguard.serving.gathering import GatheredTransport, GatheringHandler


class Written(asyncio.Transport):
    """Keeps what it is given."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[bytes] = []
        self.closed = False

    def write(self, data: Any) -> None:
        assert not self.closed
        self.calls.append(bytes(data))

    def close(self) -> None:
        self.closed = True

    def is_closing(self) -> bool:
        return self.closed


class Stream(io.StringIO):
    """Counts writes."""

    writes = 0

    def write(self, text: str) -> int:
        self.writes += 1
        return super().write(text)


class Full(io.StringIO):
    """Has no room."""

    def write(self, _: str) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")


@pytest.fixture
def stream() -> Stream:
    return Stream()


@pytest.fixture
def logger(stream: Stream) -> logging.Logger:
    logger = logging.getLogger("tests.gathering")
    logger.handlers[:] = [GatheringHandler(stream)]
    logger.propagate = False
    return logger


@in_loop
async def test_writes_of_a_turn_are_one() -> None:
    inner = Written()
    transport = GatheredTransport(inner, asyncio.get_running_loop())
    transport.write(b"head")
    transport.write(b"body")
    assert inner.calls == []
    await asyncio.sleep(0)
    transport.write(b"next")
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert inner.calls == [b"headbody", b"next"]


@in_loop
async def test_nothing_is_lost_where_the_transport_is_closed() -> None:
    inner = Written()
    transport = GatheredTransport(inner, asyncio.get_running_loop())
    transport.write(b"last words")
    assert not transport.is_closing()
    transport.close()
    assert transport.is_closing()
    await asyncio.sleep(0)
    assert inner.calls == [b"last words"]


@in_loop
async def test_lines_of_a_turn_are_one_write(logger: logging.Logger, stream: Stream) -> None:
    for number in range(5):
        logger.warning("line %d", number)
    assert stream.writes == 0
    await asyncio.sleep(0)
    assert stream.writes == 1
    assert stream.getvalue().split("\n") == [f"line {number}" for number in range(5)] + [""]
    logger.warning("another")
    await asyncio.sleep(0)
    assert stream.getvalue().endswith("another\n")


@in_loop
async def test_a_line_of_another_thread_waits_for_nobody(logger: logging.Logger, stream: Stream) -> None:
    logger.warning("of the loop")
    thread = threading.Thread(target=logger.warning, args=("of a thread",))
    thread.start()
    thread.join()
    assert stream.getvalue() == "of the loop\nof a thread\n"
    await asyncio.sleep(0)
    assert stream.getvalue() == "of the loop\nof a thread\n"


def test_without_a_loop_a_line_is_written_at_once(logger: logging.Logger, stream: Stream) -> None:
    logger.warning("a")
    assert stream.getvalue() == "a\n"


@in_loop
async def test_what_cannot_be_written_ends_and_fails_nothing(logger: logging.Logger) -> None:
    """The loop would log the error, and the log write to the loop again."""
    failed: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: failed.append(context))
    logger.handlers[:] = [GatheringHandler(Full())]
    logger.warning("lost")
    await asyncio.sleep(0)
    assert failed == []
