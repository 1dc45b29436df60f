"""A finished run as a bundle: graphs, tokenizer, policies, provenance."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from crossguard.__about__ import __version__
from crossguard.bundle import CARD, TOKENIZER, Bundle, write_manifest
from crossguard.decision.policy import LabelPolicy, Policy
from crossguard.errors import BundleError
from crossguard.export.onnx import export_graphs
from crossguard.export.policies import PolicyPlan, fit_policy, fitted_on
from crossguard.export.storage import Storage
from crossguard.labels import HATE
from crossguard.models.loading import INFERENCE_CONFIG, Checkpoint, load_average, load_checkpoint
from crossguard.preprocessing.image import ImageSpec
from crossguard.preprocessing.text import TextSpec

COPIED: Final = ("label_map.json", "test_metrics.json", "val_report.json")
RECIPE: Final = "recipe.yaml"


@dataclass(frozen=True, slots=True)
class ExportPlan:
    """What a bundle shall be called and hold.

    Attributes:
        name: Of the model.
        version: Of the model.
        storage: How each graph stores its weights.
        average: Further runs whose weights are averaged with the run's, from one start.
        policies: How its policies are fitted; without any, the run's own thresholds make the policy `default`.
    """

    name: str
    version: str = "1.0.0"
    storage: Mapping[str, Storage] = field(default_factory=dict)
    policies: Sequence[PolicyPlan] = ()
    average: Sequence[Path] = ()


def export_bundle(run: Path, out: Path, plan: ExportPlan) -> Bundle:
    """Writes the bundle of a run.

    Args:
        run: What `crossguard train` wrote, or a checkpoint in the published layout with a `tokenizer.json`.
        out: The bundle's folder.
        plan: Name, storage and policies.

    Raises:
        BundleError: The run lacks a file, or the bundle breaks a rule.
    """
    checkpoint = open_run(run)
    if plan.average:
        load_average(checkpoint.model, [run, *plan.average])
    tokenizer = find_beside(checkpoint, TOKENIZER)
    text, image = specs(checkpoint, tokenizer)
    out.mkdir(parents=True, exist_ok=True)
    export_graphs(checkpoint.model, out, text, image, plan.storage)
    shutil.copyfile(tokenizer, out / TOKENIZER)
    for name in COPIED:
        if (checkpoint.folder / name).is_file():
            shutil.copyfile(checkpoint.folder / name, out / name)
    policies = _policies(checkpoint, plan)
    inference = checkpoint.inference | {"thresholds": _thresholds(policies, checkpoint.inference["class_names"])}
    (out / INFERENCE_CONFIG).write_text(json.dumps(inference, indent=2) + "\n", encoding="utf-8")
    if not (out / CARD).is_file():
        (out / CARD).write_text(_first_card(plan), encoding="utf-8")
    return write_manifest(out, _manifest(checkpoint, plan, text, image, policies))


def open_run(run: Path) -> Checkpoint:
    """Loads a run or a checkpoint.

    Raises:
        BundleError: It is incomplete or inconsistent.
    """
    try:
        return load_checkpoint(run)
    except (FileNotFoundError, ValueError, KeyError) as error:
        raise BundleError(f"{run} cannot be loaded: {error}") from None


def find_beside(checkpoint: Checkpoint, name: str) -> Path:
    """Returns a file of the checkpoint's folder.

    Raises:
        BundleError: It is not there.
    """
    path = checkpoint.folder / name
    if not path.is_file():
        raise BundleError(f"{checkpoint.folder} has no {name}, which a bundle needs.")
    return path


def specs(checkpoint: Checkpoint, tokenizer: Path) -> tuple[TextSpec, ImageSpec]:
    """Returns how a checkpoint wants its texts and pictures; what it does not say, its family does."""
    inference, family = checkpoint.inference, checkpoint.model.family
    text = {
        "max_length": inference.get("max_text_length", family.text_length),
        "padding": "longest" if family.trims_padding else "max_length",
        "attention_mask": family.reads_attention_mask,
        **inference.get("text", {}),
        "pad_id": _pad_id(tokenizer),
    }
    image = {
        "size": inference.get("image_size", 224),
        "mean": family.mean,
        "std": family.std,
        **inference.get("image", {}),
    }
    return TextSpec(**text), ImageSpec(**image)


def _pad_id(tokenizer: Path) -> int:
    """Returns the id of the padding token, or 0: attention never sees it, or it follows the end token."""
    from tokenizers import Tokenizer

    loaded = Tokenizer.from_file(str(tokenizer))
    names = ("[PAD]", "<pad>", "<|endoftext|>", "<end>")
    return next((id_ for name in names if (id_ := loaded.token_to_id(name)) is not None), 0)


def _policies(checkpoint: Checkpoint, plan: ExportPlan) -> dict[str, Policy]:
    labels = checkpoint.inference["class_names"]
    label_schemes = label_schemes_of(checkpoint)
    if plan.policies:
        fitted = [fit_policy(one, labels, label_schemes[one.label_scheme], plan.version) for one in plan.policies]
        return {policy.name: policy for policy in fitted}
    rules = {
        name: LabelPolicy(threshold=threshold)
        for name, threshold in zip(labels, checkpoint.inference["thresholds"], strict=True)
    }
    provenance = {"fitted_on": fitted_on([checkpoint.folder], "measured_on", "thresholds")}
    label_scheme = next(iter(label_schemes))
    description = "The thresholds stored with the checkpoint."
    return {
        "default": Policy(
            name="default",
            version=plan.version,
            description=description,
            label_scheme=label_scheme,
            labels=rules,
            provenance=provenance,
        )
    }


def label_schemes_of(checkpoint: Checkpoint) -> dict[str, tuple[int, ...]]:
    """Returns the columns of each label scheme; one label scheme over all labels where the checkpoint names none."""
    stored = checkpoint.inference.get("label_schemes")
    if stored:
        return {name: tuple(columns) for name, columns in stored.items()}
    return {"labels": tuple(range(len(checkpoint.inference["class_names"])))}


def _thresholds(policies: Mapping[str, Policy], labels: Sequence[str]) -> list[float]:
    return [policies["default"].labels[name].threshold for name in labels]


def _manifest(
    checkpoint: Checkpoint, plan: ExportPlan, text: TextSpec, image: ImageSpec, policies: Mapping[str, Policy]
) -> dict[str, Any]:
    model = checkpoint.model
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
        "labels": [{"name": name, **known.get(name, {})} for name in checkpoint.inference["class_names"]],
        "text": text.model_dump(mode="json"),
        "image": image.model_dump(mode="json"),
        "label_schemes": label_schemes_of(checkpoint),
        "policies": {name: policy.model_dump(mode="json") for name, policy in policies.items()},
        "provenance": _provenance(checkpoint, plan),
    }


def _provenance(checkpoint: Checkpoint, plan: ExportPlan) -> dict[str, Any]:
    recipe = checkpoint.folder / RECIPE
    return {
        "crossguard": __version__,
        "encoder": checkpoint.model.config.encoder_name,
        "recipe": recipe.read_text(encoding="utf-8") if recipe.is_file() else "",
        "storage": dict(plan.storage),
        "averaged_runs": 1 + len(plan.average),
        "fitted_on": fitted_on([checkpoint.folder], "trained_on", "the model's weights"),
    }


def _first_card(plan: ExportPlan) -> str:
    return f"# {plan.name} {plan.version}\n\nWrite the card from measurements: `crossguard card {plan.name}`.\n"
