"""What Prometheus scrapes: traffic, batching, and the scores themselves, so that drift shows."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from functools import cache

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    generate_latest,
    start_http_server,
)

from crossguard.engine import Observer
from crossguard.errors import ConfigError
from crossguard.records import Decision
from crossguard.serving import logs
from crossguard.serving.errors import ApiError, Overloaded

SECONDS = (0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
POSTS = (1, 2, 4, 8, 16, 32, 64, 128, 256)
SCORES = tuple(step / 20 for step in range(1, 20))
LOST = ("full", "refused", "slow", "failed")
"""Why a post did not reach the review console."""


class Telemetry(Observer):
    """The metrics of one service, in a registry of its own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        add = self.registry
        ProcessCollector(registry=add)
        self.requests = Counter("crossguard_requests", "Requests answered", ["interface", "status"], registry=add)
        self.seconds = Histogram(
            "crossguard_request_seconds", "Time to answer", ["interface"], buckets=SECONDS, registry=add
        )
        self.stages = Histogram(
            "crossguard_stage_seconds",
            "Time of a stage: prepare, wait, infer",
            ["stage"],
            buckets=SECONDS,
            registry=add,
        )
        self.batches = Histogram("crossguard_batch_posts", "Posts of one inference", buckets=POSTS, registry=add)
        self.queue = Gauge("crossguard_queue_posts", "Posts accepted and not yet answered", registry=add)
        self.buffered = Gauge("crossguard_buffered_bytes", "Bytes of request bodies held", registry=add)
        self.actions = Counter("crossguard_posts", "Posts decided", ["policy", "action"], registry=add)
        self.failed = Counter("crossguard_failed_posts", "Posts that could not be scored", ["code"], registry=add)
        self.flags = Counter("crossguard_flagged_posts", "Posts flagged", ["policy", "label"], registry=add)
        self.scores = Histogram("crossguard_score", "Scores", ["policy", "label"], buckets=SCORES, registry=add)
        self.dropped = Counter("crossguard_abandoned_posts", "Posts dropped because nobody waited", registry=add)
        self.closed = Counter(
            "crossguard_closed_connections", "Connections closed to make room for others", registry=add
        )
        self.rejected = Counter("crossguard_rejected_requests", "Requests refused", ["code"], registry=add)
        self.unreviewed = Counter(
            "crossguard_review_lost_posts", "Posts that did not reach the review console", ["reason"], registry=add
        )
        self.reloads = Counter("crossguard_reloads", "Reloads of model, policies and keys", ["outcome"], registry=add)
        self.model = Gauge(
            "crossguard_model", "1 for what is being served", ["model", "version", "policy", "runtime"], registry=add
        )

        self._start_at_zero()
        # Met by every post: looking a child up in its metric takes ten times as long.
        self._action, self._flag = cache(self.actions.labels), cache(self.flags.labels)
        self._score = cache(self.scores.labels)
        self._request, self._seconds = cache(self.requests.labels), cache(self.seconds.labels)

    def _start_at_zero(self) -> None:
        """Shows what alerts watch before it happens: Prometheus sees no increase in a counter that begins with 1."""
        for reason in LOST:
            self.unreviewed.labels(reason)
        for outcome in ("done", "failed"):
            self.reloads.labels(outcome)
        for kind in ApiError.__subclasses__():
            if kind.status >= Overloaded.status:  # load, clients that left, our faults; not what is wrong with one
                self.rejected.labels(kind.default_code)

    def serving(self, model: str, version: str, policy: str, runtime: str) -> None:
        """Notes what is being served from now on."""
        self.model.clear()
        self.model.labels(model, version, policy, runtime).set(1)

    def answered(self, interface: str, status: int, seconds: float) -> None:
        """Counts a request."""
        self._request(interface, str(status)).inc()
        self._seconds(interface).observe(seconds)

    def stage(self, name: str, seconds: float) -> None:
        """Notes how long a stage of a batch took."""
        self.stages.labels(name).observe(seconds)

    def inferred(self, posts: int, seconds: float) -> None:
        """Counts a batch that went through the model."""
        self.batches.observe(posts)
        self.stages.labels("infer").observe(seconds)

    def abandoned(self, posts: int) -> None:
        """Counts posts that nobody waits for."""
        self.dropped.inc(posts)

    def lost_for_review(self, reason: str, posts: int) -> None:
        """Counts posts that did not reach the review console."""
        self.unreviewed.labels(reason).inc(posts)

    def fault(self, error: Exception) -> None:
        """Logs why we failed on a post."""
        logs.failure("post_failed", error)

    def decided(self, decisions: Iterable[Decision]) -> None:
        """Counts decisions by action, label and score, and failed ones by error code."""
        for decision in decisions:
            if decision.error is not None:
                self.failed.labels(decision.error.code).inc()
            if decision.action is not None:
                self._action(decision.policy, decision.action.value).inc()
            for name, label in decision.labels.items():
                self._score(decision.policy, name).observe(label.score)
                if label.flagged:
                    self._flag(decision.policy, name).inc()

    def render(self) -> bytes:
        """Returns the metrics as text."""
        return generate_latest(self.registry)


def serve_metrics(registry: CollectorRegistry, host: str, port: int) -> int:
    """Gives metrics to a scraper on a port of their own, from a thread that ends with the process.

    Returns:
        The port: a free one where 0 was asked for.

    Raises:
        ConfigError: The port is taken or not allowed.
    """
    try:
        server, _ = start_http_server(port, host, registry)
    except OSError as error:
        raise ConfigError(f"Cannot listen on {host}:{port}: {error.strerror}. Try another --metrics-port.") from None
    server.handle_error = _scrape_failed  # type: ignore[assignment,method-assign]
    return server.server_port


def _scrape_failed(*_: object) -> None:
    """Logs what goes wrong with a scrape, in place of a traceback on stderr; a connection that is cut is none."""
    error = sys.exception()
    if error is not None and not isinstance(error, OSError):
        logs.failure("scrape_failed", error)
