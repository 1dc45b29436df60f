"""The folder of a job: parts whose names say what they hold, and the manifest that readers need.

```
OUTPUT/
  00000/part-00000000-9f86d081-10000-3.jsonl    unit, fingerprint of the job, rows, and how many of them failed;
                      and, as in `-10000-3-2`, how many of those wait for images that could not be fetched
  _manifest.jsonl     written last: totals, then one line per part
  _job/               job.json (identity), plan.jsonl (units), locks
  _unfinished/        parts that are being written, on this machine only
```
"""

from __future__ import annotations

import itertools
import json
import re
import shutil
from collections.abc import Iterable, Iterator
from contextlib import closing
from typing import Any, Final

from crossguard.data.storage import JOB_FOLDER, PARTS_MANIFEST, Storage
from crossguard.errors import OutputError
from crossguard.jobs.units import UNITS_PER_FOLDER, Part, Unit

MANIFEST: Final = PARTS_MANIFEST
JOB: Final = f"{JOB_FOLDER}/job.json"
PLAN: Final = f"{JOB_FOLDER}/plan.jsonl"
_NAME: Final = re.compile(r"part-(\d{8})-([0-9a-f]{8})-(\d+)-(\d+)(?:-(\d+))?\.(\w+)")


def part_name(part: Part, fingerprint: str, suffix: str) -> str:
    """Returns the name of a part below the output folder."""
    later = f"-{part.later}" if part.later else ""
    folder = _folder(part.index)
    return f"{folder}/part-{part.index:08d}-{fingerprint}-{part.posts}-{part.failed}{later}.{suffix}"


def finished(storage: Storage, units: Iterable[Unit], fingerprint: str) -> Iterator[tuple[Unit, Part | None]]:
    """Yields each unit of a plan with its part, None where there is none yet; lists one folder at a time.

    Raises:
        OutputError: A part has another number of rows than its unit.
    """
    for folder, group in itertools.groupby(units, key=lambda unit: _folder(unit.index)):
        parts = _listed(storage, folder, fingerprint)
        for unit in group:
            part = parts.get(unit.index)
            if part is not None and unit.rows not in {None, part.posts}:
                raise OutputError(f"'{part.name}' should have {unit.rows} rows. Delete it, and run with --resume.")
            yield unit, part


def intact(storage: Storage, found: Iterator[tuple[Unit, Part | None]]) -> Iterator[tuple[Unit, Part | None]]:
    """Yields what `finished` finds, compared with what an earlier manifest says of it.

    Parts with posts that wait are passed over: what is told of these may be another thing in each run.

    Raises:
        OutputError: A part has another size, such as one that was cut.
    """
    stream = storage.read(MANIFEST)
    if stream is None:
        yield from found
        return
    with closing(stream):
        next(stream, None)
        told = map(json.loads, stream)
        line = next(told, None)
        for unit, part in found:
            if part is not None and not part.later:
                while line is not None and line["part"] < part.name:
                    line = next(told, None)
                if line is not None and line["part"] == part.name and line["bytes"] != part.size:
                    raise OutputError(
                        f"'{part.name}' has {part.size:,} bytes, and had {line['bytes']:,}. Delete it, and run with "
                        "--resume."
                    )
            yield unit, part


def _folder(index: int) -> str:
    return f"{index // UNITS_PER_FOLDER:05d}"


def _listed(storage: Storage, folder: str, fingerprint: str) -> dict[int, Part]:
    """Returns the parts in a folder by unit; of two of one unit, which a crash can leave, the one with fewer failed."""
    found: dict[int, Part] = {}
    for entry in storage.list(storage.join(folder)):
        name = entry.path.rpartition("/")[2]
        match = _NAME.fullmatch(name)
        if match is None or match[2] != fingerprint or entry.problem:
            continue
        index, posts, failed, later = (int(match[place] or 0) for place in (1, 3, 4, 5))
        part = Part(index, posts, failed, later=later, name=f"{folder}/{name}", size=entry.size)
        if index not in found or (failed, later) < (found[index].failed, found[index].later):
            found[index] = part
    return found


def write_manifest(storage: Storage, units: Iterable[Unit], identity: dict[str, str], fingerprint: str) -> Part | None:
    """Writes the manifest when every unit has its part; the same bytes, whoever writes it.

    Returns:
        The totals, with `index` the number of parts; None where parts are missing.
    """
    count = posts = failed = later = size = 0
    with storage.scratch() as scratch:
        body, whole = scratch / "body", scratch / "manifest"
        with body.open("wb") as stream:
            for unit, part in finished(storage, units, fingerprint):
                if part is None:
                    return None
                count, posts, failed, size = count + 1, posts + part.posts, failed + part.failed, size + part.size
                later += part.later
                line = {"part": part.name, "posts": part.posts, "failed": part.failed, "bytes": part.size}
                stream.write(_line(line | {"input": unit.entry.path, "first": unit.first}))
        totals = {"parts": count, "posts": posts, "scored": posts - failed, "failed": failed, "bytes": size}
        with whole.open("wb") as stream, body.open("rb") as lines:
            stream.write(_line({"job": fingerprint, **totals, "identity": identity}))
            shutil.copyfileobj(lines, stream)
        storage.put(MANIFEST, whole)
    return Part(count, posts, failed, size=size, later=later)


def read_json(storage: Storage, name: str) -> dict[str, Any] | None:
    """Returns what a small file of the job holds; None where there is none."""
    stream = storage.read(name)
    if stream is None:
        return None
    with closing(stream):
        found: dict[str, Any] = json.load(stream)
        return found


def write_json(storage: Storage, name: str, content: dict[str, Any]) -> None:
    """Writes a small file of the job at once."""
    with storage.scratch() as scratch:
        (scratch / "file").write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        storage.put(name, scratch / "file")


def _line(content: dict[str, Any]) -> bytes:
    return json.dumps(content, ensure_ascii=False).encode("utf-8", "replace") + b"\n"
