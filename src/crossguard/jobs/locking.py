"""One run per folder and shard, on this machine."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from crossguard.data.outputs import lock_file
from crossguard.data.storage import Storage
from crossguard.errors import OutputError
from crossguard.jobs.parts import JOB, PLAN
from crossguard.jobs.units import Shard


@contextmanager
def locked(output: Storage, shard: Shard) -> Iterator[None]:
    """Keeps a second run out of a folder of this machine; in a storage, two runs write the same bytes twice."""
    if not output.is_local:
        yield
        return
    folder, path = Path(output.path), Path(output.join(f"_job/lock-{shard.index}-of-{shard.count}"))
    existed = folder.is_dir()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.open("ab")
    except OSError as error:
        raise OutputError(f"Cannot write into '{output.address}': {error.strerror}.") from None
    with file:
        if not lock_file(file):
            raise OutputError(
                f"Another run writes into '{output.address}'. Wait for its end, or choose another folder."
            )
        try:
            yield
        finally:
            if not Path(output.join(JOB)).exists():  # refused before it began: nothing of it stays
                _remove_traces(output, path, existed=existed)


def _remove_traces(output: Storage, lock: Path, *, existed: bool) -> None:
    with suppress(OSError):
        lock.unlink()
        if not any(lock.parent.glob("lock-*")):  # another shard may be planning
            Path(output.join(PLAN)).unlink(missing_ok=True)
        lock.parent.rmdir()
        output.clean()
        if not existed:
            Path(output.path).rmdir()
