"""The engine of a Ray cluster: an actor per worker, which loads the model once.

Ray Core, and not Ray Data: units are small descriptions, and posts never pass through Ray's object store.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from crossguard.errors import MissingExtraError
from crossguard.jobs.local import WORKER_CORES
from crossguard.jobs.recovery import WorkerCrashed
from crossguard.jobs.spec import JobSpec
from crossguard.jobs.tasks import TaskRunner
from crossguard.jobs.units import Part, Task
from crossguard.jobs.worker import answer, outcome


def ray_workers(spec: JobSpec, identity: dict[str, str], count: int | None) -> list[RayWorker]:
    """Returns the workers of a cluster: that of `RAY_ADDRESS`, or one that is started on this machine.

    Args:
        spec: The job.
        identity: Of the job.
        count: How many; by the cores of the cluster when None.

    Raises:
        MissingExtraError: Ray is not installed.
    """
    try:
        import ray
    except ImportError:
        raise MissingExtraError("Scoring on a Ray cluster", "ray") from None
    if not ray.is_initialized():
        ray.init(log_to_driver=True)
    cluster: Any = ray  # parts of Ray are without types
    cores = int(cluster.cluster_resources().get("CPU", 1))
    threads = spec.threads or max(1, min(WORKER_CORES, cores // (count or 1)))
    pinned = replace(spec, threads=threads)
    return [RayWorker(pinned, identity, threads) for _ in range(count or max(1, cores // threads))]


class RayWorker:
    """An actor; it waits for free cores, and is made anew after it died.

    Args:
        spec: The job.
        identity: Of the job.
        cores: How many Ray keeps for it, which is how many its model uses.
    """

    def __init__(self, spec: JobSpec, identity: dict[str, str], cores: int) -> None:
        self._plain = spec.to_dict()
        self._identity = identity
        self._cores = cores
        self._actor: Any = None

    def run(self, task: Task, progress: Callable[[int], None]) -> Part:
        """Carries out a task; see `Worker`."""
        import ray

        if self._actor is None:
            # Retries are ours: only so is a post found that crashes whoever scores it.
            remote = ray.remote(num_cpus=self._cores, max_restarts=0, max_task_retries=0)(_Scorer)
            self._actor = remote.remote(self._plain, self._identity)
        try:
            answered = ray.get(self._actor.run.remote(task.to_dict()))
        except ray.exceptions.RayActorError as error:
            self._actor = None
            raise WorkerCrashed(str(error).partition("\n")[0]) from None
        part = outcome(answered)
        progress(part.posts)
        return part

    def close(self) -> None:
        """Ends the actor, at once."""
        import ray

        actor, self._actor = self._actor, None
        if actor is not None:
            ray.kill(actor)


class _Scorer:
    """The actor: one loaded model. What goes wrong while it loads is told by its first task."""

    def __init__(self, spec: Mapping[str, Any], identity: dict[str, str]) -> None:
        self._spec = JobSpec.from_dict(spec)
        self._identity = identity
        self._runner: TaskRunner | None = None

    def run(self, task: Mapping[str, Any]) -> dict[str, Any]:
        """Carries out a task."""
        from crossguard.errors import CrossguardError

        try:
            self._runner = self._runner or TaskRunner(self._spec, self._identity)
        except CrossguardError as error:
            return {"fatal": str(error), "code": error.exit_code}
        return answer(self._runner, task, lambda _: None)
