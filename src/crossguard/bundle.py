"""The bundle: a model folder that any machine can load and verify.

This is the only module that reads or writes `bundle.json`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Annotated, Any, Final, Literal, get_args

from pydantic import Field, model_validator

from crossguard.checked_settings import StrictModel, parse
from crossguard.decision.policy import Calibrated, Kind, Policy
from crossguard.errors import BundleError, ConfigError
from crossguard.labels import Label, LabelSet
from crossguard.preprocessing.image import ImageSpec
from crossguard.preprocessing.text import TextSpec
from crossguard.registry import MANIFEST
from crossguard.saving import save_json

SCHEMA_VERSION: Final = 2
PROVENANCE: Final = "provenance.json"
TOKENIZER: Final = "tokenizer.json"
CARD: Final = "README.md"
VAL_REPORT: Final = "val_report.json"
"""Metrics per label, by the name that the reference's users know."""
GRAPHS: Final = ("text", "image", "fusion")


# An output of the model; the graph is asked how many there are when it has run once.
Column = Annotated[int, Field(ge=0, lt=4096)]


class ModelEntry(StrictModel):
    """What the model is."""

    name: str = Field(pattern=r"^[A-Za-z0-9_.-]+$")  # the word for `--model`, and for every decision
    version: str  # changes with the weights
    backend: str  # architecture of the encoders: `clip`, `siglip` or `compact`
    head: Literal["fusion", "mtl"]  # `fusion` or `mtl`
    text_width: int = Field(ge=1)  # length of a text feature
    image_width: int = Field(ge=1)  # length of an image feature


class Attribute(Calibrated):
    """An output beside the labels, such as toxicity."""

    column: Column  # of the model's outputs


class BundleManifest(StrictModel):
    """Everything in `bundle.json`."""

    schema_version: Literal[2] = SCHEMA_VERSION
    model: ModelEntry
    labels: tuple[Label, ...] = Field(min_length=1)
    text: TextSpec
    image: ImageSpec
    languages: tuple[str, ...] = Field(
        default=(), description="ISO 639 codes of what the model was trained on; empty where nobody said"
    )
    label_schemes: dict[str, tuple[Column, ...]]
    policies: dict[str, Policy]
    attributes: dict[str, Attribute] = Field(default_factory=dict)
    precisions: tuple[Literal["fp32", "bf16"], ...] = Field(
        default=("fp32",), description="Arithmetic in which the encoders passed the quality gate"
    )
    files: dict[str, str] = Field(description="sha256 of every file of the bundle but manifest, card and hidden ones")
    digest: str = Field(default="", description="sha256 of everything else in the manifest")

    @model_validator(mode="after")
    def _consistent(self) -> BundleManifest:
        problems = []
        for name, columns in self.label_schemes.items():
            if len(columns) != len(self.labels):
                problems.append(f"label scheme '{name}' has {len(columns)} columns for {len(self.labels)} labels")
        for key, policy in self.policies.items():
            if policy.name != key:
                problems.append(f"policy '{key}' calls itself '{policy.name}'")
            try:
                policy.check(self.label_set, self.attributes, self.label_schemes)
            except ConfigError as error:
                problems.append(str(error))
        problems += [
            f"'{name}' is a label and an attribute" for name in self.attributes if name in self.label_set.names
        ]
        problems += [f"file '{name}' lies outside the bundle" for name in self.files if not _is_inside(name)]
        if "default" not in self.policies:
            problems.append("there is no policy 'default'")
        if problems:
            raise ValueError("; ".join(problems))
        return self

    @cached_property
    def label_set(self) -> LabelSet:
        """The labels in column order."""
        return LabelSet(self.labels)

    @cached_property
    def outputs(self) -> int:
        """How many outputs the model has at least."""
        schemes = (column for columns in self.label_schemes.values() for column in columns)
        return 1 + max((*schemes, *(attribute.column for attribute in self.attributes.values())))


def _is_inside(name: str) -> bool:
    path = PurePosixPath(name)
    return bool(name) and "\\" not in name and ":" not in name and not path.is_absolute() and ".." not in path.parts


@dataclass(frozen=True, slots=True, repr=False)
class Bundle:
    """A verified model folder."""

    folder: Path
    manifest: BundleManifest

    def __repr__(self) -> str:
        model = self.manifest.model
        return f"Bundle({model.name} {model.version}, {str(self.folder)!r})"

    @property
    def labels(self) -> LabelSet:
        """What the model predicts."""
        return self.manifest.label_set

    @property
    def identity(self) -> dict[str, str]:
        """Name and version of the model, as the provenance of a policy has them that was fitted to it."""
        model = self.manifest.model
        return {"name": model.name, "version": model.version}

    @property
    def graphs(self) -> dict[str, Path]:
        """File of each graph by name."""
        return {name: self.folder / f"{name}.onnx" for name in GRAPHS}

    @property
    def tokenizer(self) -> Path:
        """File of the tokenizer."""
        return self.folder / TOKENIZER

    @property
    def size(self) -> int:
        """Bytes of all its files."""
        return sum(path.stat().st_size for path in self.folder.rglob("*") if path.is_file())

    def columns(self, policy: Policy) -> list[int]:
        """Returns which outputs of the model a policy reads, one per label."""
        return list(self.manifest.label_schemes[policy.label_scheme])

    def provenance(self) -> dict[str, Any]:
        """Returns data, code and metrics behind the weights; empty when the bundle does not say."""
        return dict(self._provenance().get("model", {}))

    def policy_provenance(self, policy: Policy) -> dict[str, Any]:
        """Returns what a policy's thresholds were fitted on: its own word, or the bundle's on it or its base.

        Where its own is about some `labels` alone, the bundle's is added for the others whose rules are still its own.
        """
        policies: dict[str, Any] = self._provenance().get("policies", {})
        bundled = policies.get(policy.base or policy.name, {})
        if not policy.provenance:
            return dict(bundled)
        own = policy.provenance.get("fitted_on", ())
        fitted = {label for entry in own for label in entry.get("labels", policy.labels)}
        kept = [name for name in self._unchanged(policy) if name not in fitted] if fitted else []
        more = [{**entry, "labels": kept} for entry in bundled.get("fitted_on", ()) if kept]
        return policy.provenance | {"fitted_on": [*own, *more]} if more else dict(policy.provenance)

    def _unchanged(self, policy: Policy) -> list[str]:
        """Returns the labels whose rules are those of the bundle's policy that this one starts from."""
        base = self.manifest.policies.get(policy.base or "")
        if base is None:
            return []
        kinds = get_args(Kind)
        return [n for n in policy.labels if all(policy.rules(kind)[n] == base.rules(kind).get(n) for kind in kinds)]

    def fitted_on(self, policy: Policy) -> list[str]:
        """Returns the names of the data that a policy's thresholds were fitted on; empty where nobody says.

        Where there are several, and it is known which labels were fitted on one, they follow its name.
        """
        entries = self.policy_provenance(policy).get("fitted_on", ())
        several = len(entries) > 1
        labels = [", ".join(entry.get("labels", ())) if several else "" for entry in entries]
        names = [str(entry.get("name")) for entry in entries]
        return [f"{name} ({own})" if own else name for name, own in zip(names, labels, strict=True)]

    def _provenance(self) -> dict[str, Any]:
        path = self.folder / PROVENANCE
        return _read_json(path) if path.is_file() else {}

    def card(self) -> str:
        """Returns the model card as Markdown; empty when the bundle has none."""
        path = self.folder / CARD
        return path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""


def read_bundle(folder: Path, *, verify: bool = True) -> Bundle:
    """Opens a bundle.

    Args:
        folder: Where it lies.
        verify: Whether to compare the checksum of every file but the card.

    Raises:
        BundleError: It is missing, of a newer schema or breaks a rule, or a file cannot be read or was changed.
    """
    data = _read_json(folder / MANIFEST)
    manifest = parse_manifest(data, str(folder / MANIFEST))
    if verify and manifest.digest != manifest_digest(data):
        raise BundleError(
            f"{folder / MANIFEST} was changed after it was written: its digest differs. Download or export it again."
        )
    bundle = Bundle(folder, manifest)
    absent = [path.name for path in (*bundle.graphs.values(), bundle.tokenizer) if path.name not in manifest.files]
    if absent:
        raise BundleError(f"The bundle {folder} lists no checksum for: {', '.join(absent)}. Export it again.")
    try:
        problems = check_files(bundle) if verify else []
    except OSError as error:
        raise BundleError(f"Cannot read {error.filename}: {error.strerror}.") from None
    if problems:
        raise BundleError(f"The bundle {folder} is corrupted: {'; '.join(problems)}. Download or export it again.")
    return bundle


def parse_manifest(data: Mapping[str, Any], where: str) -> BundleManifest:
    """Checks a manifest.

    Raises:
        BundleError: It is of another schema, or breaks a rule.
    """
    version = data.get("schema_version")
    if isinstance(version, int) and version != SCHEMA_VERSION:
        remedy = (
            "Update Crossguard where its repository is: git pull && pip install ."
            if version > SCHEMA_VERSION
            else "It is of an older one: export the model again with: crossguard export"
        )
        raise BundleError(f"{where} has schema version {version}, and this Crossguard reads {SCHEMA_VERSION}. {remedy}")
    try:
        return parse(BundleManifest, data, where)
    except ConfigError as error:
        raise BundleError(str(error)) from None


def check_files(bundle: Bundle) -> list[str]:
    """Compares every file with its checksum, but the card, which people edit; returns one line per problem."""
    card = bundle.folder / CARD
    problems = [] if _stays(card, bundle.folder) else [f"{CARD} is a link that leaves the bundle"]
    for name, expected in bundle.manifest.files.items():
        path = bundle.folder / name
        if not path.is_file():
            problems.append(f"{name} is missing")
        elif not _stays(path, bundle.folder):
            problems.append(f"{name} is a link that leaves the bundle")
        elif (actual := sha256(path)) != expected:
            problems.append(f"{name} has sha256 {actual[:12]}…, expected {expected[:12]}…")
    return problems


def _stays(path: Path, folder: Path) -> bool:
    """Returns whether a file lies in the bundle, or in the blobs that the Hub's cache links to."""
    real, home = path.resolve(), folder.resolve()
    cache = home.parent.parent / "blobs"
    return real.is_relative_to(home) or (home.parent.name == "snapshots" and real.is_relative_to(cache))


def write_manifest(folder: Path, data: Mapping[str, Any], listed: Collection[str] | None = None) -> Bundle:
    """Writes `bundle.json` for a folder whose other files are in place, with their checksums, and opens it.

    Args:
        folder: Holds graphs, tokenizer and whatever else travels with the model.
        data: The manifest, whose `files`, `digest` and `schema_version` are made anew. Its `provenance`, and that of
            its policies, goes to a file of its own, where it replaces what is there; without one, that file stays.
        listed: Names of the files that are the bundle; all that lie in the folder, when None.

    Raises:
        BundleError: The data or the folder breaks a rule; the old manifest is then left as it was.
    """
    policies = {name: dict(policy) for name, policy in data.get("policies", {}).items()}
    fitted_on = {name: found for name, policy in policies.items() if (found := policy.pop("provenance", None))}
    provenance = {"model": data.get("provenance") or {}, "policies": fitted_on}
    rest = {key: value for key, value in data.items() if key != "provenance"} | {"policies": policies}
    whole = {**rest, "schema_version": SCHEMA_VERSION, "files": {}, "digest": ""}
    parse_manifest(whole, str(folder / MANIFEST))
    if any(provenance.values()):
        save_json(folder / PROVENANCE, provenance)
    if listed is None:
        files = (path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
        listed = [path.as_posix() for path in files if is_part(path)]
    whole["files"] = {name: sha256(folder / name) for name in sorted(listed)}
    manifest = parse_manifest(whole, str(folder / MANIFEST)).model_dump(mode="json")
    save_json(folder / MANIFEST, manifest | {"digest": manifest_digest(manifest)})
    return read_bundle(folder, verify=False)


def is_part(path: Path) -> bool:
    """Whether the manifest lists a file: not itself, the card, or what tools leave (`.git`, `.cache`, `.DS_Store`)."""
    return path.as_posix() not in {MANIFEST, CARD} and not any(part.startswith(".") for part in path.parts)


def sha256(path: Path) -> str:
    """Returns the sha256 of a file as hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def manifest_digest(data: Mapping[str, Any]) -> str:
    """Returns the sha256 of a manifest without its `digest`, as hexadecimal digits."""
    content = {key: value for key, value in data.items() if key != "digest"}
    return hashlib.sha256(json.dumps(content, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def _read_json(path: Path) -> dict[str, Any]:
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise BundleError(f"{path.parent} is not a bundle: it has no {path.name}.") from None
    except OSError as error:
        raise BundleError(f"Cannot read {path}: {error.strerror}.") from None
    except (ValueError, RecursionError) as error:
        raise BundleError(f"Cannot read {path}: {error}. Download or export the bundle again.") from None
    if not isinstance(data, dict):
        raise BundleError(f"{path} must hold an object, and holds {type(data).__name__}.")
    return data
