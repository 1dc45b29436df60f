"""The numbers of a job."""

from __future__ import annotations

from crossguard.errors import UnitError
from crossguard.jobs.summary import JobSummary
from crossguard.jobs.units import Part

COUNTS = {"action": {"allow": 6, "block": 1}, "flag": {"racist": 1}, "error": {"post_empty": 3}}


def test_what_happens_is_counted() -> None:
    summary = JobSummary(planned=5, previous=1)
    for event in (
        64,
        10,
        Part(1, 10, 3, counts=COUNTS),
        Part(2, 10, 3, counts=COUNTS),
        UnitError("It ends its worker."),
    ):
        summary.add(event)
    assert (summary.done, summary.posts, summary.moving) == (2, 20, 54)
    assert summary.actions == {"allow": 12, "block": 2}
    assert (summary.flags, summary.failed) == ({"racist": 2}, {"post_empty": 6})
    assert summary.problems == ["It ends its worker."]


def test_more_posts_than_were_told_of_do_not_count_below_none() -> None:
    summary = JobSummary()
    summary.add(3)
    summary.add(Part(1, 10, 0, counts=COUNTS))
    assert summary.moving == 0


def test_the_rest_takes_as_long_as_what_was_done() -> None:
    summary = JobSummary(planned=10, previous=2, seconds=30.0, cores=4)
    assert summary.seconds_left is None
    summary.done = 2
    assert summary.seconds_left == 90.0
    assert summary.core_hours == 120 / 3600
