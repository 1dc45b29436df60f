"""What a job is: its settings, as workers receive them, and its identity, by which parts are named."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Annotated, Any, Final, Literal, Self

from pydantic import Field, TypeAdapter, ValidationError

from crossguard.checked_settings import refused
from crossguard.data.columns import Columns, ColumnsInPython
from crossguard.decision.policy import Policy
from crossguard.errors import OutputError
from crossguard.jobs.sources import UNIT_POSTS, InputFormat
from crossguard.loading import load
from crossguard.moderator import Moderator
from crossguard.preparation import OtherLanguages, PixelMode
from crossguard.registry import MANIFEST
from crossguard.schema import SCHEMA_VERSION

# Changes when the same post would get other bytes in a part, or parts other names.
JOB_VERSION: Final = 1
# Settings that the bytes of a part depend on.
_IN_BYTES: Final = (
    "pixels", "other_languages", "batch_size", "columns", "image_root", "confine_images", "fetch_origins", "keep",
    "ocr", "format",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class JobSpec:
    """The settings of a job."""

    inputs: tuple[str, ...]  # addresses of files, folders and patterns
    output: str  # address of the folder of parts
    model: str = "compact"  # a shipped name, a folder, or a Hub id
    policy: Mapping[str, Any]  # the policy, in full: a file that changes meanwhile does not matter
    runtime: str = "auto"  # see `Moderator.load`, and so for the next two
    precision: str = "auto"
    pixels: PixelMode = "fast"
    other_languages: OtherLanguages = "note"
    threads: int | None = None  # cores of one worker; those that it may use when None
    batch_size: Annotated[int, Field(ge=1)] | None = None  # posts per run of the model
    columns: Columns = field(default_factory=Columns)  # which column holds what
    in_python: bool = False  # whether messages say how columns are named in Python, not on the command line
    image_root: str | None = None  # folder of relative image paths, here or in a storage; that of the file when None
    confine_images: bool = False  # whether images must lie in that folder; those in a storage always must
    # Where images are fetched from that posts name by their address in the web; nowhere when empty
    fetch_origins: tuple[str, ...] = ()
    fetch_private: bool = False  # whether such an origin may lie at a private or loopback address
    keep: bool = False  # whether results keep the columns of the input
    ocr: bool = False  # whether the words in images are read where they are not given
    format: Literal["jsonl", "csv", "parquet"] = "jsonl"  # of the parts
    unit_posts: Annotated[int, Field(ge=1)] = UNIT_POSTS  # about how many posts a part has
    input_format: InputFormat | None = None  # how all files are read; by their names when None
    fingerprint: str = ""  # of the job's identity; empty before it is known

    def __post_init__(self) -> None:
        if self.in_python:
            object.__setattr__(self, "columns", ColumnsInPython(**asdict(self.columns)))
        if self.fetch_origins:
            object.__setattr__(self, "columns", replace(self.columns, addresses=True))

    def to_dict(self) -> dict[str, Any]:
        """Returns plain values."""
        return asdict(self)

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> Self:
        """Returns the settings that `to_dict` turned into plain values, or that a caller gave.

        Raises:
            ConfigError: One is of another kind.
        """
        try:
            return TypeAdapter(cls).validate_python(plain)
        except ValidationError as error:
            raise refused(error, cls, "The settings of the job") from None

    def load(self) -> Moderator:
        """Loads the model."""
        return load(
            self.model,
            policy=Policy.model_validate(self.policy),
            runtime=self.runtime,
            precision=self.precision,
            threads=self.threads,
            pixels=self.pixels,
            other_languages=self.other_languages,
        )

    def identity(self, moderator: Moderator, plan: str) -> dict[str, str]:
        """Returns what the bytes of the parts depend on, by name; two runs with the same identity are one job.

        `plan` is the fingerprint of the plan.
        """
        model, policy = moderator.bundle.manifest.model, moderator.policy
        manifest = (moderator.bundle.folder / MANIFEST).read_bytes()
        plain = self.to_dict()
        settings = {name: str(plain[name]) for name in _IN_BYTES}
        return {
            "input": plan,
            "model": f"{model.name} {model.version} ({_hash(manifest)})",
            "policy": f"{policy.name} {policy.version} ({_hash(policy.model_dump_json().encode())})",
            "runtime": moderator.runtime.name,
            "record": f"{SCHEMA_VERSION}.{JOB_VERSION}",
            **settings,
        }

    def of(self, identity: Mapping[str, str]) -> JobSpec:
        """Returns the settings with the fingerprint of an identity."""
        return replace(self, fingerprint=_hash(json.dumps(identity, sort_keys=True).encode()))


def refuse_another(then: Mapping[str, str], now: Mapping[str, str], output: str) -> None:
    """Checks that a job that is continued is still the same.

    Raises:
        OutputError: Names what is different.
    """
    different = [name for name in {**then, **now} if then.get(name) != now.get(name)]
    if different:
        told = "; ".join(f"{name} was {then.get(name)}, and is {now.get(name)}" for name in different)
        raise OutputError(
            f"Cannot continue '{output}', which is another job: {told}. Use the same settings, or score into another "
            "folder."
        )


def _hash(content: bytes) -> str:
    return hashlib.blake2b(content, digest_size=4).hexdigest()
