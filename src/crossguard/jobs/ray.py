"""The engine of a Ray cluster: an actor per worker, which loads the model once.

Ray Core, and not Ray Data: units are small descriptions, and posts never pass through Ray's object store.
"""

from __future__ import annotations

import queue
import threading
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from crossguard.errors import ConfigError, CrossguardError, first_line, needs_extra
from crossguard.jobs.cores import claim_cores
from crossguard.jobs.local import STALL_SECONDS, WORKER_CORES
from crossguard.jobs.pool import WorkerCrashed
from crossguard.jobs.spec import JobSpec
from crossguard.jobs.tasks import TaskRunner
from crossguard.jobs.units import TASK, Part, Task
from crossguard.jobs.worker import answer, fatal, outcome


def ray_workers(spec: JobSpec, identity: dict[str, str], count: int | None) -> list[RayWorker]:
    """Returns the workers of a cluster: that of `RAY_ADDRESS`, or one that is started on this machine.

    Without a count there are as many as the cores of its machines allow.

    Raises:
        ConfigError: No machine has as many cores as a worker should use, and so none would ever start.
    """
    with needs_extra("Scoring on a Ray cluster", "ray"):
        import ray
    if not ray.is_initialized():
        ray.init(log_to_driver=True)
    cluster: Any = ray  # parts of Ray are without types
    alive = (node["Resources"].get("CPU", 0) for node in cluster.nodes() if node["Alive"])
    count, threads = cluster_crew([int(cores) for cores in alive if cores >= 1], spec.threads, count)
    pinned = replace(spec, threads=threads)
    return [RayWorker(pinned, identity, threads) for _ in range(count)]


def cluster_crew(machines: Sequence[int], threads: int | None, count: int | None) -> tuple[int, int]:
    """Returns how many workers there are, and how many cores each uses, which are those of one machine.

    `machines` are the cores of those that are there. A cluster that grows may have none yet, or only a small one; a
    count says that more will come.
    """
    most, cores = max(machines, default=threads or WORKER_CORES), sum(machines)
    if threads is not None and threads > most:
        told = f"No machine of the cluster has {threads} cores for a worker; the largest has {most}."
        if count is None:
            raise ConfigError(f"{told} Use --threads {most}. If larger machines are yet to come, say --workers, too.")
        warnings.warn(f"{told} Workers wait until there is one; if none is coming, use --threads {most}.", stacklevel=2)
    if threads is None:
        threads = max(1, min(most, WORKER_CORES, cores // (count or 1))) if cores else WORKER_CORES
    return count or max(1, sum(own // threads for own in machines)), threads


class RayWorker:
    """An actor; it waits for as many free cores as its model uses, and is made anew after it died."""

    def __init__(self, spec: JobSpec, identity: dict[str, str], cores: int) -> None:
        self._plain = spec.to_dict()
        self._identity = identity
        self.cores = cores
        self._actor: Any = None
        self._closed = False

    def run(self, task: Task, progress: Callable[[int], None]) -> Part:
        """Carries out a task; see `Worker`."""
        import ray

        actor = self._started()
        said = actor.run.options(num_returns="streaming").remote(TASK.dump_python(task, exclude_defaults=True))
        try:
            ray.get(next(said))  # cores may become free much later, as others finish or the cluster grows
            while ray.wait([said], timeout=STALL_SECONDS)[0]:
                answered = ray.get(next(said))
                if "posts" not in answered:
                    return outcome(answered)
                progress(answered["posts"])
        except _deaths() as error:
            self._end()
            raise WorkerCrashed(first_line(error)) from None
        self._end()
        raise WorkerCrashed(f"it did not move for {STALL_SECONDS:.0f} s")

    def close(self) -> None:
        """Ends the actor, at once."""
        self._closed = True
        self._end()

    def _started(self) -> Any:
        """Returns the actor, a new one where there is none."""
        import ray

        if self._actor is None and not self._closed:
            # Retries are ours: only so is a post found that crashes whoever scores it.
            remote = ray.remote(num_cpus=self.cores, max_restarts=0, max_task_retries=0)(_Scorer)
            self._actor = remote.remote(self._plain, self._identity)
        actor = self._actor
        if self._closed:  # perhaps by another thread, while the actor was made
            self._end()
            raise WorkerCrashed("the job is ending")
        return actor

    def _end(self) -> None:
        import ray

        actor, self._actor = self._actor, None
        if actor is not None:
            ray.kill(actor)


def _deaths() -> tuple[type[Exception], ...]:
    """Returns the errors by which Ray tells that an actor, its machine, or what it answered is gone."""
    from ray import exceptions as told

    return (
        told.RayActorError,
        told.WorkerCrashedError,
        told.OutOfMemoryError,
        told.NodeDiedError,
        told.ObjectLostError,
    )


class _Scorer:
    """The actor: one loaded model. What goes wrong while it loads is told by its first task.

    Its counters are those of Ray (`ray.util.metrics`), which each machine of a cluster exports for Prometheus.
    """

    def __init__(self, spec: Mapping[str, Any], identity: dict[str, str]) -> None:
        from ray.util.metrics import Counter

        self._spec = JobSpec.from_dict(spec)
        self._identity = identity
        self._claim = claim_cores(self._spec.threads or 1)  # Ray says how many cores it keeps, and not which
        self._runner: TaskRunner | None = None
        self._posts = Counter("crossguard_job_posts", "Posts in finished parts")
        self._seconds = Counter("crossguard_job_seconds", "Time that finished units took")
        self._failed = Counter("crossguard_job_failed_posts", "Posts that failed", tag_keys=("code",))

    def run(self, task: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        """Carries out a task; yields something at once, then how many posts were scored since, then how it ended."""
        yield {"posts": 0}
        try:
            self._runner = self._runner or TaskRunner(self._spec, self._identity)
        except CrossguardError as error:
            yield fatal(error)
            return
        runner, said = self._runner, queue.SimpleQueue[dict[str, Any]]()

        def work() -> None:
            said.put(answer(runner, task, lambda count: said.put({"posts": count})))

        threading.Thread(target=work, daemon=True).start()
        while "posts" in (answered := said.get()):
            yield answered
        self._count(answered.get("part"))
        yield answered

    def _count(self, part: Mapping[str, Any] | None) -> None:
        if part is not None:
            self._posts.inc(Part(**part).done)
            self._seconds.inc(part["seconds"])
            for code, count in part["counts"]["error"].items():
                self._failed.inc(count, {"code": code})
