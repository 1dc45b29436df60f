"""What a job did, in numbers: for who asked, for progress, and for Prometheus."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field

from crossguard.data.stored_posts import LeftOut
from crossguard.errors import needs_extra
from crossguard.jobs.pool import Event
from crossguard.jobs.units import Part

# Most files that are named because they could not be read.
_NAMED = 10
_SECONDS = (1, 5, 15, 30, 60, 120, 300, 600, 1800, 3600)
_HOST = "0.0.0.0"  # noqa: S104 - the scraper is another machine; there are counts to see, and no posts


@dataclass(slots=True)
class JobSummary:
    """What a job did, in numbers.

    Attributes:
        planned: Units of the job, or of this shard.
        previous: Units that earlier runs finished.
        done: Units that this run finished.
        posts: Posts that this run scored, or tried to, in parts that are finished.
        moving: Posts that were scored for parts which are not finished.
        failed: How many of them could not be scored, by error code.
        examples: By error code, the file, id and problem of such a post.
        unreadable: The first whole files that could not be read, each with the reason.
        actions: Their decisions by action.
        flags: How many of them flagged which label.
        other_languages: How many of them are in which language that the model does not know.
        notes: What a person should know about columns of the input: sentences, and how many units each holds for.
        left_out: What lies beside the tables of the input, and is not read.
        problems: Units that could not be finished, one sentence each.
        seconds: Time of this run.
        cores: Of all workers.
        totals: Of the whole job, from its manifest: parts, posts, failed, bytes; None while parts are missing.
    """

    planned: int = 0
    previous: int = 0
    done: int = 0
    posts: int = 0
    moving: int = 0
    failed: Counter[str] = field(default_factory=Counter)
    examples: dict[str, str] = field(default_factory=dict)
    unreadable: list[str] = field(default_factory=list)
    actions: Counter[str] = field(default_factory=Counter)
    flags: Counter[str] = field(default_factory=Counter)
    other_languages: Counter[str] = field(default_factory=Counter)
    notes: Counter[str] = field(default_factory=Counter)
    left_out: LeftOut = field(default_factory=LeftOut)
    problems: list[str] = field(default_factory=list)
    seconds: float = 0.0
    cores: int = 0
    totals: Part | None = None

    @property
    def seconds_left(self) -> float | None:
        """How long the rest will take at the pace so far; None before a unit is done."""
        left = self.planned - self.previous - self.done
        return left * self.seconds / self.done if self.done else None

    @property
    def core_hours(self) -> float:
        """What this run has taken so far: its time on all cores of its workers."""
        return self.seconds * self.cores / 3600

    def add(self, event: Event) -> None:
        """Counts what happened."""
        if isinstance(event, int):
            self.moving = max(0, self.moving + event)
        elif isinstance(event, Part):
            self.done += 1
            self.posts += event.done
            self.moving = max(0, self.moving - event.done)
            self.actions.update(event.counts["action"])
            self.flags.update(event.counts["flag"])
            self.failed.update(event.counts["error"])
            self.examples = {**event.examples, **self.examples}
            if "file_unreadable" in event.examples and len(self.unreadable) < _NAMED:
                self.unreadable.append(event.examples["file_unreadable"])
            self.other_languages.update(event.counts["language"])
            self.notes.update(event.counts["note"])
        else:
            self.problems.append(str(event))


class JobMetrics:
    """The metrics of one run of a job, in a registry of their own. Its `see` is a `watch` of `score_files`.

    Raises:
        MissingExtraError: prometheus-client is not installed.
    """

    def __init__(self) -> None:
        with needs_extra("Metrics of a job", "jobs"):
            from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector
        add = self.registry = CollectorRegistry()
        ProcessCollector(registry=add)
        self._posts = Counter("crossguard_job_posts", "Posts in finished parts", ["worker"], registry=add)
        self._failed = Counter("crossguard_job_failed_posts", "Posts that failed", ["worker", "code"], registry=add)
        self._seconds = Histogram(
            "crossguard_job_unit_seconds", "Time of a unit", ["worker"], buckets=_SECONDS, registry=add
        )
        self._problems = Counter("crossguard_job_failed_units", "Units that are left for --resume", registry=add)
        self._units = Gauge("crossguard_job_units", "Units of this run", ["state"], registry=add)
        self._left = Gauge("crossguard_job_seconds_left", "Expected time to the end", registry=add)
        self._left.set(math.nan)
        self._cost = Gauge("crossguard_job_core_seconds", "Cores of all workers times time", registry=add)

    def see(self, event: Event, summary: JobSummary) -> None:
        """Counts what happened."""
        if isinstance(event, Part):
            worker = str(event.worker)
            self._posts.labels(worker).inc(event.done)
            self._seconds.labels(worker).observe(event.seconds)
            for code, count in event.counts["error"].items():
                self._failed.labels(worker, code).inc(count)
        elif not isinstance(event, int):
            self._problems.inc()
        for state in ("planned", "previous", "done"):
            self._units.labels(state).set(getattr(summary, state))
        self._left.set(math.nan if summary.seconds_left is None else summary.seconds_left)
        self._cost.set(summary.core_hours * 3600)

    def listen(self, port: int) -> int:
        """Gives the metrics to a scraper until the process ends; returns the port, a free one for 0."""
        from crossguard.serving.telemetry import serve_metrics

        return serve_metrics(self.registry, _HOST, port)
