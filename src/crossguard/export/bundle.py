"""A finished run, or a checkpoint of the model cards' layout, as a bundle: graphs, tokenizer, policies, provenance."""

from __future__ import annotations

import hashlib
import re
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatch
from pathlib import Path
from typing import Any, Final

import yaml

from crossguard.__about__ import __version__
from crossguard.bundle import CARD, TOKENIZER, VAL_REPORT, Bundle, is_part, read_bundle, sha256, write_manifest
from crossguard.cache import cache_folder
from crossguard.checked_settings import read_yaml
from crossguard.decision.policy import LabelPolicy, Policy
from crossguard.errors import BundleError, ConfigError, OutputError, suggest
from crossguard.export.onnx import export_graphs
from crossguard.export.policies import DEFAULT, HALF, PolicyPlan, fit_policy, fitted_on
from crossguard.export.push import LEFT_HOME
from crossguard.export.source import ExportSource, open_checkpoint, warn_of_thresholds
from crossguard.export.weight_dtype import WeightDtype
from crossguard.labels import HATE
from crossguard.models.loading import (
    CHECKPOINT,
    INFERENCE_CONFIG,
    RECIPE,
    WEIGHTS,
    find_inference_config,
    find_weights,
    has_weights,
)
from crossguard.registry import MANIFEST
from crossguard.saving import save_json, whole_folder

METRICS: Final = ("test_metrics.json", VAL_REPORT)
REPORTS: Final = ("label_map.json", *METRICS)
# Of a checkpoint: what only training reads, and further weights. They may be gigabytes, which take seconds to hash.
NOT_READ: Final = (*LEFT_HOME, "*.bin", "*.pt", "*.safetensors")


@dataclass(frozen=True, slots=True)
class ExportPlan:
    """What a bundle shall be called and hold."""

    name: str
    version: str = "1.0.0"
    weight_dtypes: Mapping[str, WeightDtype] = field(default_factory=dict)  # how each graph stores its weights
    # How its policies are fitted; without any, the run's own thresholds make the policy `default`
    policies: Sequence[PolicyPlan] = ()
    average: Sequence[Path] = ()  # further runs whose weights are averaged with the run's, from one start

    def __post_init__(self) -> None:
        if as_name(self.name) != self.name or not self.name:
            raise ConfigError(
                f"'{self.name}' cannot name a model, which takes letters, digits, dots and dashes. Give one: "
                f"--name {as_name(self.name) or 'my-model'}"
            )


def as_name(text: str) -> str:
    """Returns a text as the name of a model: with dashes for what no name has."""
    return re.sub(r"[^A-Za-z0-9_.-]", "-", text)


def export_bundle(run: Path, out: Path, plan: ExportPlan) -> Bundle:
    """Writes the bundle of a run, or of a checkpoint in the published layout; changes `out` only for a whole bundle.

    Raises:
        OutputError: `out` holds the weights of another model, as a folder for Hugging Face does.
    """
    source = open_checkpoint(run, tuple(plan.average))
    policies = _policies(source, plan)
    if (out / WEIGHTS).is_file() and not has_weights(out / WEIGHTS, source.model):
        raise OutputError(
            f"'{out}' holds the PyTorch weights of another model, which would stay beside the bundle: {WEIGHTS}. "
            "Delete that model first, or choose another folder."
        )
    with whole_folder(out, last=MANIFEST, replaced=REPORTS, kept=(CARD,)) as folder:
        export_graphs(source.model, folder, source.text, source.image, plan.weight_dtypes)
        (folder / TOKENIZER).write_text(source.tokenizer, encoding="utf-8")
        copy_reports(source, folder)
        thresholds = [policies[DEFAULT].labels[name].threshold for name in source.labels]
        inference = source.inference | {"thresholds": thresholds}
        inference.pop("unfitted", None)  # of the run's own thresholds; the policies say it of theirs
        save_json(folder / INFERENCE_CONFIG, inference)
        (folder / CARD).write_text(first_card(plan.name, plan.version), encoding="utf-8")
        write_manifest(folder, _manifest(source, plan, policies))
    return read_bundle(out, verify=False)


def copy_reports(source: ExportSource, folder: Path) -> None:
    """Copies what a run says of itself, under the names that the model cards list; no metrics where it is averaged."""
    for name in REPORTS:
        if not (source.averaged and name in METRICS) and (source.folder / name).is_file():
            shutil.copyfile(source.folder / name, folder / name)


def _policies(source: ExportSource, plan: ExportPlan) -> dict[str, Policy]:
    labels, label_schemes = source.labels, source.label_schemes
    if plan.policies:
        names = [policy.name for policy in plan.policies]
        for name in names:
            if names.count(name) > 1:
                raise ConfigError(f"--policy {name} is given twice. Runs of one policy are joined by commas.")
        if DEFAULT not in names:
            raise ConfigError(f"A bundle needs a policy '{DEFAULT}'. Give one more: --policy {DEFAULT}=SCHEME:RUN@f1")
        for one in plan.policies:
            if one.label_scheme not in label_schemes:
                hint = suggest(one.label_scheme, label_schemes)
                raise ConfigError(f"--policy {one.name}: unknown label scheme '{one.label_scheme}'.{hint}")
        fitted = [fit_policy(one, labels, label_schemes[one.label_scheme], plan.version) for one in plan.policies]
        return {policy.name: policy for policy in fitted}
    warn_of_thresholds(source)
    unfitted = f" Not fitted, with the threshold {HALF}: {', '.join(source.unfitted)}." if source.unfitted else ""
    thresholds = zip(labels, source.inference["thresholds"], strict=True)
    stored = Policy(
        name=DEFAULT,
        version=plan.version,
        description="The thresholds stored with the checkpoint"
        + (", which its weights had before they were averaged with others." if source.averaged else ".")
        + unfitted,
        label_scheme=next(iter(label_schemes)),
        labels={name: LabelPolicy(threshold=threshold) for name, threshold in thresholds},
        provenance={"fitted_on": fitted_on([source.folder], "measured_on", "thresholds")},
    )
    return {DEFAULT: stored}


def _manifest(source: ExportSource, plan: ExportPlan, policies: Mapping[str, Policy]) -> dict[str, Any]:
    model = source.model
    known = {label.name: {"meaning": label.meaning, "prior": label.prior} for label in HATE}
    return {
        "model": {
            "name": plan.name,
            "version": plan.version,
            "backend": model.config.backend,
            "head": model.config.head,
            "text_width": model.widths.text,
            "image_width": model.widths.image,
        },
        "labels": [{"name": name, **known.get(name, {})} for name in source.labels],
        "text": source.text.model_dump(mode="json"),
        "image": source.image.model_dump(mode="json"),
        "label_schemes": source.label_schemes,
        "policies": {name: policy.model_dump(mode="json") for name, policy in policies.items()},
        "provenance": _provenance(source, plan),
    }


def _provenance(source: ExportSource, plan: ExportPlan) -> dict[str, Any]:
    return {
        "crossguard": __version__,
        "encoder": source.inference["encoder_name"],
        "recipe": _recipe(source),
        "storage": dict(plan.weight_dtypes),
        "untrained": source.inference.get("untrained", []),
        "averaged_runs": 1 + len(source.averaged),
        "fitted_on": fitted_on([source.folder, *source.averaged], "trained_on", "the model's weights"),
    }


def _recipe(source: ExportSource) -> str:
    """Returns the recipe of a run, with the encoder by the name that it has elsewhere."""
    path = source.folder / RECIPE
    if not path.is_file():
        return ""
    settings = read_yaml(path) | {"encoder_name": source.inference["encoder_name"]}
    return str(yaml.safe_dump(settings, sort_keys=False, allow_unicode=True))


def first_card(name: str, version: str, told: str = "") -> str:
    """Returns a card that asks for one; `told` is a sentence on what the model is."""
    command = "crossguard card FOLDER --details card.yaml --into-bundle"
    return f"# {name} {version}\n\n{told}Write the card from measurements: `{command}`.\n"


def as_bundle(folder: Path) -> Path:
    """Returns a bundle of a checkpoint, made on the first call and kept in the user's cache.

    Raises:
        BundleError: The folder has no weights.
        OutputError: There is no place for a cache.
    """
    try:
        out = cache_folder() / "bundles" / _key(folder)
    except FileNotFoundError:
        raise BundleError(f"{folder} has no {MANIFEST}, and no weights ({WEIGHTS}) beside its configuration.") from None
    if not (out / MANIFEST).is_file():
        plan = ExportPlan(as_name(_name(find_inference_config(folder).parent)))
        try:
            out.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OutputError(
                f"A checkpoint is converted into the cache, and '{out.parent}' cannot be made: {error.strerror}. Set "
                f"CROSSGUARD_CACHE to a folder that can be, or convert it first: crossguard export {folder} BUNDLE"
            ) from None
        with tempfile.TemporaryDirectory(prefix=f".{out.name}-", dir=out.parent) as scratch:
            made = Path(scratch) / "bundle"
            export_bundle(folder, made, plan)
            try:
                made.rename(out)
            except OSError:
                # Another process made it meanwhile, and may have opened it: that one stays.
                if not (out / MANIFEST).is_file():
                    raise
    return out


def _key(folder: Path) -> str:
    """Hashes the chosen weights, and every file that the conversion may read besides them."""
    weights, root = find_weights(folder), find_inference_config(folder).parent
    others = [path for path in sorted(root.rglob("*")) if path.is_file() and _is_read(path.relative_to(root))]
    digest = hashlib.sha256(f"{__version__}\n{sha256(weights)}\n".encode())
    for path in others:
        digest.update(f"{path.relative_to(root).as_posix()}\t{sha256(path)}\n".encode())
    return digest.hexdigest()[:16]


def _is_read(path: Path) -> bool:
    """Whether a conversion may read a file: none that tools leave, such as git, whose index changes by a look at it."""
    left = any(fnmatch(path.as_posix(), pattern) for pattern in NOT_READ)
    return is_part(path) and not CHECKPOINT.match(path.parts[0]) and not left


def _name(folder: Path) -> str:
    """Names the model after its folder; the Hub's cache keeps a repository as models--owner--name/snapshots/<hash>."""
    parts = [part for part in folder.resolve().parts if part.startswith("models--")]
    return parts[-1].split("--")[-1] if parts else folder.resolve().name
