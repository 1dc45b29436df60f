"""What a job did, in numbers: for who asked, for progress, and for Prometheus."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from crossguard.jobs.pool import Event
from crossguard.jobs.units import Part


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
        actions: Their decisions by action.
        flags: How many of them flagged which label.
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
    actions: Counter[str] = field(default_factory=Counter)
    flags: Counter[str] = field(default_factory=Counter)
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
            self.moving += event
        elif isinstance(event, Part):
            self.done += 1
            self.posts += event.done
            self.moving = max(0, self.moving - event.done)
            self.actions.update(event.counts["action"])
            self.flags.update(event.counts["flag"])
            self.failed.update(event.counts["error"])
        else:
            self.problems.append(str(event))
