"""The unit of work: a stretch of one file of the input, whose decisions make one part of the output."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal, TypeAlias

from pydantic import TypeAdapter

from crossguard.data.formats import TableKind
from crossguard.data.storage import Entry

Kind: TypeAlias = TableKind | Literal["images", "unreadable"]
# Of a plan with fewer units than this per folder, a listing holds little memory.
UNITS_PER_FOLDER: Final = 1000


@dataclass(frozen=True, slots=True)
class Unit:
    """A stretch of one file."""

    entry: Entry  # the file; the folder for `images`
    kind: Kind  # how the file is read
    input: int = 0  # which of the inputs it comes from
    index: int = -1  # its place in the plan, from 0; -1 before it has one
    first: int = 1  # number of its first line or row in the file, from 1
    rows: int | None = None  # how many posts it has; None where only reading tells
    # Bytes to read of a text or Arrow file, the header first; all of the file when empty
    ranges: tuple[tuple[int, int], ...] = ()
    groups: tuple[int, int] = (0, 0)  # row groups of a Parquet file: the first, and the one behind the last
    skip: int = 0  # rows of those groups that belong to units before
    names: tuple[str, ...] = ()  # images, below the folder
    problem: str = ""  # why an `unreadable` file cannot be read
    previous: str = ""  # its part of an earlier run, in which posts wait for their images; only those are scored again

    @property
    def size(self) -> int:
        """How many bytes of the file it stands for; about, for Parquet."""
        return sum(stop - start for start, stop in self.ranges[-1:]) or self.entry.size


@dataclass(frozen=True, slots=True)
class Shard:
    """Which units are those of this machine: every `count`-th, from `index`."""

    index: int = 0
    count: int = 1

    def has(self, unit: Unit) -> bool:
        """Whether a unit is one of them."""
        return unit.index % self.count == self.index


@dataclass(frozen=True, slots=True)
class Task:
    """What a worker is asked to do with a unit."""

    unit: Unit
    start: int = 0  # the first post of it that is scored
    stop: int | None = None  # the one behind the last; None is all
    # Posts that crash whoever scores them; they are recorded as failed
    poison: Mapping[int, str] = field(default_factory=dict)
    write: bool = True  # whether a part is written; otherwise the task only shows that a worker survives it


# Between units and tasks and their plain values.
UNIT: Final = TypeAdapter(Unit)
TASK: Final = TypeAdapter(Task)


@dataclass(frozen=True, slots=True)
class Part:
    """What a worker says of a task that it finished."""

    index: int  # of the unit
    posts: int  # how many there were, which is how many rows the part has
    failed: int  # how many of them could not be scored
    seconds: float = 0.0  # time that it took
    # Decisions of this run by action, label, error code and language that the model does not know; notes on columns
    counts: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    name: str = ""  # the file below the output folder; empty where none was written
    size: int = 0  # its bytes
    worker: int = 0  # which worker of the run made it, from 0
    later: int = 0  # how many of those wait for their images, which another run may get
    examples: Mapping[str, str] = field(default_factory=dict)  # the first post that failed, by error code

    @property
    def done(self) -> int:
        """Posts that this run went through: fewer than `posts` where it repeated only some."""
        return sum(self.counts.get("action", {}).values()) + sum(self.counts.get("error", {}).values())
