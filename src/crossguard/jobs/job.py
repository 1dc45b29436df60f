"""A job: its plan, its folder, and which of its units are left."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, BinaryIO, Final

from crossguard.bundle import read_bundle
from crossguard.data.storage import SCHEMES, Storage, is_remote
from crossguard.data.stored_posts import LeftOut
from crossguard.decision.policy import Policy
from crossguard.errors import ConfigError, OutputError, TableError, suggest
from crossguard.jobs.parts import JOB, MANIFEST, PLAN, finished, read_json, write_json
from crossguard.jobs.plan import cut_all, plan_line, read_plan
from crossguard.jobs.sources import InputFile, digest_of, sources_of
from crossguard.jobs.spec import JobSpec, refuse_another
from crossguard.jobs.units import Part, Shard, Unit
from crossguard.loading import find_bundle
from crossguard.moderator import resolve_policy

PathLike = str | os.PathLike[str]
# What a job has beside arguments of their own.
_SETTINGS: Final = frozenset(JobSpec.__slots__) - {"inputs", "output", "model", "policy", "fingerprint"}


class ScoringJob:
    """One job: input, settings, and the folder that it fills. Use `open`, then `start`.

    Attributes:
        spec: The settings, with the fingerprint once it was started.
        output: The folder.
        identity: What the bytes of the parts depend on, once it was started.
        left_out: What lies beside the input and is not read, once it was listed.
    """

    def __init__(self, spec: JobSpec) -> None:
        self.spec = spec
        self.output = Storage(spec.output)
        self.identity: dict[str, str] = {}
        self.left_out = LeftOut()

    @classmethod
    def open(
        cls,
        inputs: PathLike | Sequence[PathLike],
        out: PathLike,
        *,
        model: str | Path = "compact",
        policy: str | Path | Policy = "default",
        tenant: str | None = None,
        **settings: Any,
    ) -> ScoringJob:
        """Checks the settings; nothing is written yet. Arguments and errors as for `score_files`."""
        settings = {name: value for name, value in settings.items() if value is not None}
        unknown = set(settings) - _SETTINGS
        if unknown:
            raise ConfigError(f"Unknown setting '{min(unknown)}'.{suggest(min(unknown), _SETTINGS)}")
        bundle = find_bundle(model)
        chosen = resolve_policy(read_bundle(bundle), policy, tenant)
        given = [inputs] if isinstance(inputs, str | os.PathLike) else list(inputs)
        if not given:
            raise TableError("Name at least one file, folder or pattern.")
        if "image_root" in settings:
            settings["image_root"] = _absolute(settings["image_root"])
        settings |= {
            "inputs": tuple(map(_absolute, given)),
            "output": _absolute(out),
            "model": str(bundle) if Path(model).exists() else str(model),
            "policy": chosen.model_dump(mode="json"),
        }
        return cls(JobSpec.from_dict(settings))

    def start(self, *, resume: bool) -> None:
        """Plans the job, or checks that the one in the folder is the same."""
        known = self._stored()
        if known is None:
            plan = self._plan()
        elif resume:
            self._refuse_changed_input(known)
            plan = known["identity"]["input"]
        else:
            told = "Finish it with --resume, or choose another folder."
            if self.output.entry(self.output.join(MANIFEST)):
                again = "--resume only tries images again that could not be fetched."
                told = f"It is finished: to score again, choose another folder. {again}"
            raise OutputError(f"'{self.spec.output}' holds a job already. {told}")
        with closing(self.spec.load()) as moderator:
            self.identity = self.spec.identity(moderator, plan)
        if known is not None:
            refuse_another(known["identity"], self.identity, self.spec.output)
        self.spec = self.spec.of(self.identity)
        if known is None:
            write_json(self.output, JOB, {"identity": self.identity, "plan": self._planning()})

    def units(self) -> Iterator[Unit]:
        """Yields the units of the plan."""
        with closing(self._read_plan()) as stream:
            for _, _, units in read_plan(stream):
                yield from units

    def _read_plan(self) -> BinaryIO:
        stream = self.output.read(PLAN)
        if stream is None:
            raise OutputError(f"'{self.spec.output}' has lost its plan, {PLAN}. Score into another folder.")
        return stream

    def finished(self, shard: Shard) -> Iterator[tuple[Unit, Part | None]]:
        """Yields the units of a shard, each with its part where there is one."""
        own = filter(shard.has, self.units())
        return finished(self.output, own, self.spec.fingerprint)

    def sources(self) -> Iterator[InputFile]:
        """Lists the input as it is now."""
        spec, self.left_out = self.spec, LeftOut()
        return sources_of(
            spec.inputs, self.output, unit_posts=spec.unit_posts, known=spec.input_format, left_out=self.left_out
        )

    def cut(self) -> Iterator[tuple[InputFile, list[Unit]]]:
        """Plans the input as it is now.

        Raises:
            TableError: No file of it can be read.
        """
        problem, readable = "", False
        for source, units in cut_all(self.sources(), self.spec.columns, self.spec.unit_posts):
            for unit in units:
                readable = readable or unit.kind != "unreadable"
                problem = problem or unit.problem
            yield source, units
        if not readable:
            raise TableError(problem or "The input has no posts: all tables in it are empty.")

    def _plan(self) -> str:
        """Writes the plan; returns its fingerprint."""
        with self.output.scratch() as scratch:
            file = scratch / "plan"
            with file.open("wb") as stream:
                stream.writelines(plan_line(source, units) for source, units in self.cut())
            with file.open("rb") as stream:
                found = digest_of(stream)
            self.output.put(PLAN, file)
        return found

    def _stored(self) -> dict[str, Any] | None:
        """Returns what the folder says of a job in it; None where it is empty."""
        known = read_json(self.output, JOB)
        if known is not None:
            return known
        if self.output.entry(self.output.path) is not None:
            raise OutputError(f"'{self.spec.output}' is a file. Name a folder for the parts: -o decisions/")
        first = next(self.output.list(self.output.path, deep=True), None)
        if first is None:
            return None
        known = read_json(self.output, JOB)  # a run that began beside this one writes its job before its parts
        if known is None:
            raise OutputError(
                f"'{self.spec.output}' is not empty: there is '{first.path}'. Parts go into a folder of their own."
            )
        return known

    def _planning(self) -> dict[str, Any]:
        spec = self.spec
        return {"inputs": list(spec.inputs), "unit_posts": spec.unit_posts, "format": spec.input_format}

    def _refuse_changed_input(self, known: dict[str, Any]) -> None:
        now = self._planning()
        then, here = ({name: str(each[name]) for name in now} for each in (known["plan"], now))
        refuse_another(then, here, self.spec.output)
        sources = ((each.storage.address_of(each.entry.path), each.entry) for each in self.sources())
        with closing(self._read_plan()) as stream:
            planned = ((address, entry) for address, entry, _ in read_plan(stream))
            for before, after in itertools.zip_longest(planned, sources, fillvalue=(None, None)):
                if before == after:
                    continue
                if before[0] == after[0]:
                    what = f"'{after[0]}' changed"
                elif before[0] is None or any(address == before[0] for address, _ in sources):
                    what = f"'{after[0]}' is new"
                else:
                    what = f"'{before[0]}' is gone"
                raise TableError(
                    f"Cannot continue '{self.spec.output}': {what} since the job began. Put the input back, with "
                    "the time of its last change (cp -p), or score into another folder."
                )


def _absolute(path: PathLike) -> str:
    """Returns an address as it is, and a path as an absolute one.

    Raises:
        ConfigError: It is empty, or begins with an unknown scheme; as a path it would be the working folder, or one
            called `s3a:`.
    """
    address = os.fspath(path).removeprefix("file://")
    if not address:
        raise ConfigError("The name of a file or folder is empty, as that of a shell variable without a value is.")
    if is_remote(address):
        return address
    scheme, found, _ = address.partition("://")
    if found and scheme.isalnum():
        raise ConfigError(f"'{address}': storages are {'://, '.join(SCHEMES)}://, not {scheme}://.")
    return _without_dots(Path(address).expanduser().absolute())


def _without_dots(path: Path) -> str:
    """Returns a path without `..`, so that a file has one name; that of a link is the folder above its target."""
    if ".." not in path.parts:
        return str(path)
    end = len(path.parts) - path.parts[::-1].index("..")
    return str(Path(os.path.realpath(Path(*path.parts[:end])), *path.parts[end:]))
