"""The numbers of a job."""

from __future__ import annotations

import urllib.request
from collections.abc import Iterator

import pytest
from prometheus_client.parser import text_string_to_metric_families

from crossguard.errors import ConfigError, StorageError, UnitError
from crossguard.jobs.summary import JobMetrics, JobSummary
from crossguard.jobs.units import Part

COUNTS = {
    "action": {"allow": 6, "block": 1},
    "flag": {"racist": 1},
    "error": {"post_empty": 3},
    "language": {"de": 2},
    "note": {"a note": 1},
}


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
    assert (summary.other_languages, summary.notes) == ({"de": 4}, {"a note": 2})
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


SCORED = {"action": {"allow": 7}, "flag": {}, "error": {"post_empty": 3}, "language": {}, "note": {}}


def samples(text: str) -> Iterator[tuple[str, float]]:
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            labels = ",".join(f"{value}" for value in sample.labels.values())
            yield f"{sample.name}{{{labels}}}", sample.value


def test_how_long_a_job_takes_is_not_known_before_a_unit_is_done() -> None:
    metrics, summary = JobMetrics(), JobSummary(planned=5, seconds=20.0)
    left = [metrics.registry.get_sample_value("crossguard_job_seconds_left")]
    for event in (64, Part(1, 64, 0, 2.0, SCORED)):
        summary.add(event)
        metrics.see(event, summary)
        left.append(metrics.registry.get_sample_value("crossguard_job_seconds_left"))
    assert str(left) == "[nan, nan, 80.0]"


def test_a_scraper_sees_each_worker_and_the_whole_job() -> None:
    metrics = JobMetrics()
    port = metrics.listen(0)
    summary = JobSummary(planned=5, previous=1, cores=4, seconds=20.0)
    for event in (10, Part(1, 10, 3, 2.0, SCORED, worker=1), Part(2, 50, 3, 4.0, SCORED), StorageError("down")):
        summary.add(event)
        metrics.see(event, summary)
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics") as answer:
        found = dict(samples(answer.read().decode()))
    expected = {
        "crossguard_job_posts_total{1}": 10,
        "crossguard_job_posts_total{0}": 10,
        "crossguard_job_failed_posts_total{post_empty,1}": 3,
        "crossguard_job_unit_seconds_sum{0}": 4,
        "crossguard_job_unit_seconds_count{1}": 1,
        "crossguard_job_failed_units_total{}": 1,
        "crossguard_job_units{planned}": 5,
        "crossguard_job_units{previous}": 1,
        "crossguard_job_units{done}": 2,
        "crossguard_job_seconds_left{}": 20,
        "crossguard_job_core_seconds{}": 80,
    }
    assert {name: found.get(name) for name in expected} == expected
    with pytest.raises(ConfigError, match="Try another --metrics-port"):
        JobMetrics().listen(port)
