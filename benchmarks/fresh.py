"""What only a fresh process can tell: start-up and peak memory. Run as a program, it is that process."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

MARKS = 10
KIBI = 1024
MEBI = 1024**2


def start_up(bundle: Path, image: Path | None, times: int) -> list[float]:
    """Seconds that `crossguard score` takes for one post, of fresh processes but the first.

    As of an installed package: its modules are compiled, and graphs are kept compiled.
    """
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    command = [sys.executable, "-m", "crossguard", "score", "--model", str(bundle), "--text", "hello"]
    command += [] if image is None else ["--image", str(image)]
    return [_seconds(command, environment) for _ in range(1 + times)][1:]


def peak_memory(bundle: Path, posts_file: Path, count: int) -> dict[str, Any]:
    """Scores `count` posts in a fresh process, those of the file again and again.

    Returns:
        `posts`, how many; `peak_mb`, the largest resident memory, and `over_time_mb`, that after each tenth of the
        posts, in MB; `seconds`; and `torch`, whether PyTorch was imported.
    """
    command = [sys.executable, "-m", "benchmarks.fresh", str(bundle), str(posts_file), str(count)]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout  # noqa: S603 - our own
    memory: dict[str, Any] = json.loads(output)
    return memory


def _seconds(command: Sequence[str], environment: Mapping[str, str]) -> float:
    start = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=environment)  # noqa: S603 - our own
    return time.perf_counter() - start


def _stream(bundle: str, posts_file: str, count: str) -> None:
    from crossguard.moderator import Moderator

    moderator = Moderator.load(bundle)
    marks: list[float] = []
    start = time.perf_counter()
    for index, _ in enumerate(moderator.stream(_again(Path(posts_file), int(count))), start=1):
        if index * MARKS // int(count) > len(marks):
            marks.append(resident_mb())
    found = {"posts": int(count), "peak_mb": _peak_mb(), "over_time_mb": marks}
    print(json.dumps(found | {"seconds": time.perf_counter() - start, "torch": "torch" in sys.modules}))


def _again(posts_file: Path, count: int) -> Iterator[dict[str, object]]:
    rows = [json.loads(line) for line in posts_file.read_text(encoding="utf-8").splitlines()]
    for index in range(count):
        yield {**rows[index % len(rows)], "id": str(index)}


def resident_mb() -> float:
    """Returns what this process holds in memory now, MB."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * resource.getpagesize() / MEBI


def _peak_mb() -> float:
    """Returns the peak of this process alone: `ru_maxrss` keeps that of the parent from before the exec."""
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / KIBI
    raise OSError("This kernel tells no VmHWM in /proc/self/status.")


def main(arguments: Sequence[str]) -> None:
    """Runs as the fresh process."""
    _stream(*arguments)


if __name__ == "__main__":
    main(sys.argv[1:])
