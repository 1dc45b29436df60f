from __future__ import annotations

import pytest

from crossguard.serving.admission import LONGEST_RETRY_S, Admission
from crossguard.serving.errors import Overloaded


def test_a_full_queue_refuses_and_recovers() -> None:
    admission = Admission(10)
    with admission.hold(8, 8):
        assert admission.pending == 8
        with pytest.raises(Overloaded) as refused, admission.hold(3, 3):
            pass
        assert 1 <= (refused.value.retry_after or 0) <= LONGEST_RETRY_S
        with admission.hold(2, 2):
            assert admission.pending == 10
    assert admission.pending == 0
    with pytest.raises(ZeroDivisionError), admission.hold(3, 3):
        raise ZeroDivisionError
    assert admission.pending == 0


@pytest.mark.parametrize(("seconds", "expected"), [(0.5, 1), (8.0, 8), (900.0, LONGEST_RETRY_S)])
def test_when_to_come_back_follows_from_how_fast_requests_were_answered(
    monkeypatch: pytest.MonkeyPatch, seconds: float, expected: int
) -> None:
    now = 1000.0
    monkeypatch.setattr("time.monotonic", lambda: now)
    admission = Admission(100)
    with admission.hold(50, 50):
        pass
    with admission.hold(50, 50):
        pass
    now += seconds
    with admission.hold(100, 100), pytest.raises(Overloaded) as refused, admission.hold(1, 1):
        pass
    assert refused.value.retry_after == expected


def test_long_posts_count_as_several() -> None:
    admission = Admission(100)
    with admission.hold(1, 32), admission.hold(1, 32), pytest.raises(Overloaded), admission.hold(2, 40):
        pass


def test_no_request_is_too_long_to_be_ever_answered() -> None:
    admission = Admission(100)
    with admission.hold(50, 50), admission.hold(50, 1600):
        assert admission.pending == 100
    assert admission.pending == 0
