"""The bundle: a model folder that any machine can load and verify.

This is the only module that reads or writes `bundle.json`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

from pydantic import Field, model_validator

from crossguard.decision.policy import Policy
from crossguard.errors import BundleError, ConfigError
from crossguard.labels import Label, LabelSet
from crossguard.preprocessing.image import ImageSpec
from crossguard.preprocessing.text import TextSpec
from crossguard.strict import StrictModel, parse

SCHEMA_VERSION: Final = 2
MANIFEST: Final = "bundle.json"
TOKENIZER: Final = "tokenizer.json"
CARD: Final = "README.md"
GRAPHS: Final = ("text", "image", "fusion")


class LabelEntry(StrictModel):
    """A label as the manifest stores it; see `crossguard.labels.Label`."""

    name: str
    meaning: str = ""
    prior: float | None = Field(default=None, ge=0, le=1)


class ModelEntry(StrictModel):
    """What the model is.

    Attributes:
        name: The word for `--model`, and for every decision.
        version: Changes with the weights.
        backend: Family of the encoders: `clip`, `siglip` or `compact`.
        head: `fusion` or `mtl`.
        text_width: Length of a text feature.
        image_width: Length of an image feature.
    """

    name: str = Field(pattern=r"^[A-Za-z0-9_.-]+$")
    version: str
    backend: str
    head: Literal["fusion", "mtl"]
    text_width: int = Field(ge=1)
    image_width: int = Field(ge=1)


class BundleManifest(StrictModel):
    """Everything in `bundle.json`."""

    schema_version: Literal[2] = SCHEMA_VERSION
    model: ModelEntry
    labels: tuple[LabelEntry, ...] = Field(min_length=1)
    text: TextSpec
    image: ImageSpec
    label_schemes: dict[str, tuple[int, ...]]
    policies: dict[str, Policy]
    files: dict[str, str] = Field(description="sha256 of every file of the bundle but the manifest")
    provenance: dict[str, Any] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _consistent(self) -> BundleManifest:
        problems = []
        for name, columns in self.label_schemes.items():
            if len(columns) != len(self.labels):
                problems.append(f"label scheme '{name}' has {len(columns)} columns for {len(self.labels)} labels")
        for key, policy in self.policies.items():
            if policy.name != key:
                problems.append(f"policy '{key}' calls itself '{policy.name}'")
            if policy.label_scheme not in self.label_schemes:
                problems.append(
                    f"policy '{key}' reads '{policy.label_scheme}', and the schemes are {list(self.label_schemes)}"
                )
            try:
                policy.check(self.label_set)
            except ConfigError as error:
                problems.append(str(error))
        if "default" not in self.policies:
            problems.append("there is no policy 'default'")
        if problems:
            raise ValueError("; ".join(problems))
        return self

    @property
    def label_set(self) -> LabelSet:
        """The labels in column order."""
        return LabelSet(tuple(Label(entry.name, entry.meaning, entry.prior) for entry in self.labels))


@dataclass(frozen=True, slots=True)
class Bundle:
    """A verified model folder."""

    folder: Path
    manifest: BundleManifest

    @property
    def labels(self) -> LabelSet:
        """What the model predicts."""
        return self.manifest.label_set

    @property
    def graphs(self) -> dict[str, Path]:
        """File of each graph by name."""
        return {name: self.folder / f"{name}.onnx" for name in GRAPHS}

    @property
    def tokenizer(self) -> Path:
        """File of the tokenizer."""
        return self.folder / TOKENIZER

    def card(self) -> str:
        """Returns the model card as Markdown; empty when the bundle has none."""
        path = self.folder / CARD
        return path.read_text(encoding="utf-8") if path.is_file() else ""


def read_bundle(folder: Path, *, verify: bool = True) -> Bundle:
    """Opens a bundle.

    Args:
        folder: Where it lies.
        verify: Whether to compare the checksum of every file.

    Raises:
        BundleError: It is missing, of a newer schema, breaks a rule, or a file differs from its checksum.
    """
    manifest = parse_manifest(_read_json(folder / MANIFEST), str(folder / MANIFEST))
    bundle = Bundle(folder, manifest)
    absent = [path.name for path in (*bundle.graphs.values(), bundle.tokenizer) if path.name not in manifest.files]
    if absent:
        raise BundleError(f"The bundle {folder} lists no checksum for: {', '.join(absent)}. Export it again.")
    problems = check_files(bundle) if verify else []
    if problems:
        raise BundleError(f"The bundle {folder} is corrupted: {'; '.join(problems)}. Download or export it again.")
    return bundle


def parse_manifest(data: Mapping[str, Any], where: str) -> BundleManifest:
    """Checks a manifest.

    Raises:
        BundleError: It is of another schema, or breaks a rule.
    """
    version = data.get("schema_version")
    if isinstance(version, int) and version > SCHEMA_VERSION:
        raise BundleError(
            f"{where} has schema version {version}, and this Crossguard reads {SCHEMA_VERSION}. "
            "Update with: pip install -U crossguard"
        )
    if isinstance(version, int) and version < SCHEMA_VERSION:
        raise BundleError(
            f"{where} has schema version {version}, of an older Crossguard, and this one reads {SCHEMA_VERSION}. "
            "Export the model again with: crossguard export"
        )
    try:
        return parse(BundleManifest, data, where)
    except ConfigError as error:
        raise BundleError(str(error)) from None


def check_files(bundle: Bundle) -> list[str]:
    """Compares every file with its checksum; returns one line per problem."""
    problems = []
    for name, expected in bundle.manifest.files.items():
        path = bundle.folder / name
        if not path.is_file():
            problems.append(f"{name} is missing")
        elif (actual := sha256(path)) != expected:
            problems.append(f"{name} has sha256 {actual[:12]}…, expected {expected[:12]}…")
    return problems


def write_manifest(folder: Path, data: Mapping[str, Any]) -> Bundle:
    """Writes `bundle.json` for a folder whose other files are in place, with their checksums, and opens it.

    Args:
        folder: Holds graphs, tokenizer and whatever else travels with the model.
        data: The manifest without `files` and `schema_version`.

    Raises:
        BundleError: The data or the folder breaks a rule; the old manifest is then left as it was.
    """
    files = {
        path.relative_to(folder).as_posix(): sha256(path)
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != MANIFEST
    }
    whole = {**data, "schema_version": SCHEMA_VERSION, "files": files}
    manifest = parse_manifest(whole, str(folder / MANIFEST))
    text = json.dumps(manifest.model_dump(mode="json"), indent=2, ensure_ascii=False)
    (folder / MANIFEST).write_text(text + "\n", encoding="utf-8")
    return read_bundle(folder, verify=False)


def sha256(path: Path) -> str:
    """Returns the sha256 of a file as hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _read_json(path: Path) -> dict[str, Any]:
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise BundleError(f"{path.parent} is not a bundle: it has no {path.name}.") from None
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise BundleError(f"Cannot read {path}: {error}. Download or export the bundle again.") from None
    if not isinstance(data, dict):
        raise BundleError(f"{path} must hold an object, and holds {type(data).__name__}.")
    return data
