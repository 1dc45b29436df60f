from __future__ import annotations

from collections import Counter

from crossguard.queueing import MOST_CLOCKS, TURN, FairQueue


def put(queue: FairQueue[str], caller: str, count: int, cost: int = 1, request: str = "") -> None:
    for _ in range(count):
        queue.put(caller + request, caller=caller, request=request, cost=cost)


def test_a_caller_with_little_does_not_wait_for_one_with_much() -> None:
    queue: FairQueue[str] = FairQueue()
    put(queue, "much", 1000)
    queue.take(100)
    put(queue, "little", 1)
    assert "little" in queue.take(2)


def test_callers_get_the_same_share_of_the_work_however_it_is_packed() -> None:
    queue: FairQueue[str] = FairQueue()
    put(queue, "long", 100, cost=32)
    put(queue, "short", 1000)
    taken = Counter(queue.take(640))
    assert taken["long"] == 10
    assert 300 <= taken["short"] <= 352


def test_nothing_starves() -> None:
    queue: FairQueue[str] = FairQueue()
    put(queue, "long", 3, cost=32)
    served = []
    for rounds in range(300):
        put(queue, f"new {rounds}", 1)
        served += [rounds for entry in queue.take(1) if entry == "long"]
    assert len(served) == 3


def test_nobody_saves_up_turns_by_sending_nothing() -> None:
    queue: FairQueue[str] = FairQueue()
    put(queue, "steady", 1000)
    queue.take(500)
    put(queue, "late", 400)
    taken = Counter(queue.take(200))
    assert abs(taken["late"] - taken["steady"]) <= 1


def test_who_leaves_and_comes_back_is_not_served_twice() -> None:
    queue: FairQueue[str] = FairQueue()
    put(queue, "steady", 1000, cost=4)
    served: Counter[str] = Counter()
    for _ in range(100):
        put(queue, "pumping", 1, cost=32)
        served.update(queue.take(1))
    assert served["pumping"] <= 13


def test_requests_of_a_caller_take_turns() -> None:
    queue: FairQueue[str] = FairQueue()
    put(queue, "a", 400, request=" large")
    put(queue, "a", 1, request=" small")
    assert queue.take(TURN) == ["a large"] * TURN
    assert queue.take(2) == ["a small", "a large"]
    assert len(queue) == 400 - TURN - 1
    assert list(queue) == ["a large"]


def test_an_entry_that_costs_more_than_there_is_room_for_is_taken_alone() -> None:
    queue: FairQueue[str] = FairQueue()
    put(queue, "a", 2, cost=32)
    assert queue.take(8) == ["a"]
    assert queue.take(0) == []
    assert queue.take(99) == ["a"]
    assert not queue
    assert queue.take(1) == []


def test_callers_are_forgotten() -> None:
    queue: FairQueue[str] = FairQueue()
    put(queue, "steady", 9 * MOST_CLOCKS)
    for number in range(3 * MOST_CLOCKS):
        put(queue, str(number), 1)
        queue.take(2)
    assert len(queue._clocks) <= MOST_CLOCKS + 1
    queue.take(99 * MOST_CLOCKS)
    assert not queue._clocks
