"""The model card, written from what was measured: every estimate stands beside the command that made it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from huggingface_hub import EvalResult, ModelCard, ModelCardData

from crossguard.bundle import CARD, VAL_REPORT, Bundle, write_manifest
from crossguard.checked_settings import StrictModel, parse, read_yaml
from crossguard.errors import InputError, OutputError
from crossguard.evaluation.report.pages import render
from crossguard.evaluation.runs import REPORT, TEST_METRICS, Facts, Run
from crossguard.evaluation.titles import ANY_KEYS, KEYS, SHOWN, title
from crossguard.registry import shipped
from crossguard.saving import is_one_file

_NOTHING: Mapping[str, Path] = {}
INDEXED = (*KEYS, "any/roc_auc")


class TrainingSource(StrictModel):
    """One source of training data."""

    name: str
    posts: str
    labels: str
    source: str
    licence: str


class CardDetails(StrictModel):
    """What no measurement can tell; a YAML file."""

    summary: str
    licence: str | None = None  # of the weights, as the Hub names licences; nobody but their owner can choose one
    languages: tuple[str, ...] = ()
    base_models: tuple[str, ...] = ()
    data: str = ""  # what all of the training data are
    datasets: tuple[TrainingSource, ...] = ()
    training: str = ""
    limits: tuple[str, ...] = ()  # what it cannot do, one sentence each
    tags: tuple[str, ...] = ()  # more words for the Hub


def read_details(path: Path) -> CardDetails:
    """Reads the YAML of what no measurement can tell."""
    return parse(CardDetails, read_yaml(path), str(path))


def read_audit(folder: Path) -> dict[str, Any]:
    """Reads the `audit.json` of a folder.

    Raises:
        InputError: There is none.
    """
    try:
        data: dict[str, Any] = json.loads((folder / "audit.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"'{folder}' holds no audit ({error}). Make one: crossguard audit --out {folder}") from None
    return data


def metrics_files(run: Path) -> dict[str, Path]:
    """Returns the metrics of a run's folder by the names that they have in a bundle."""
    return {TEST_METRICS: run / TEST_METRICS, VAL_REPORT: run / REPORT}


def build_card(
    bundle: Bundle,
    details: CardDetails,
    runs: Sequence[Run] = (),
    audits: Sequence[Mapping[str, Any]] = (),
    added: Mapping[str, Path] = _NOTHING,
) -> str:
    """Returns the model card as Markdown, with the front matter that the Hub reads (`model-index`).

    `added` are files that will be in the bundle beside the card.

    Raises:
        InputError: A run or an audit is of another model, or of another version of this one.
    """
    manifest = bundle.manifest
    name = manifest.model.name
    own = f"{name} {manifest.model.version}"
    for run in runs:
        measured = f"{run.facts.model} {run.facts.model_version}"
        if run.facts.model_version and measured != own:  # scores from elsewhere name no version
            raise InputError(f"The run on '{run.facts.data}' measured {measured}, and this is the card of {own}.")
    for audit in audits:
        if audit.get("model") != own:
            raise InputError(f"An audit is of {audit.get('model')}, and this is the card of {own}.")
    files = {name: path for name in bundle.manifest.files if (path := bundle.folder / name).is_file()} | dict(added)
    metadata = ModelCardData(
        model_name=name,
        eval_results=_indexed(runs) or None,
        license=details.licence,
        language=list(details.languages) or None,
        base_model=list(details.base_models) or None,
        library_name="crossguard",
        pipeline_tag="image-text-to-text",
        tags=["hate-speech-detection", "content-moderation", "multimodal", "multi-label-classification", *details.tags],
        metrics=["f1", "roc_auc", "precision", "recall"],
    )
    body = render(
        "card.md.j2",
        manifest=manifest,
        place=name if name in shipped() else f"path/to/{name}",
        labels=manifest.label_set,
        details=details,
        runs=runs,
        audits=audits,
        shown=SHOWN,
        overall=INDEXED,
        of_any=ANY_KEYS,
        title=title,
        fitted_on=lambda policy: ", ".join(bundle.fitted_on(policy)) or "not recorded",
        # Card and manifest, which are no parts of it, are written after this.
        sizes={name: files[name].stat().st_size for name in sorted(files)},
        untrained=bundle.provenance().get("untrained", ()),
        undefined=lambda run: run.main.undefined(SHOWN, title),
    )
    return str(ModelCard(f"---\n{metadata.to_yaml()}\n---\n\n{body}"))


def install_card(bundle: Bundle, card: str, added: Mapping[str, Path] = _NOTHING) -> Bundle:
    """Writes the card, and files by their names there, into the bundle, and renews its checksums.

    Whatever else lies in the folder, such as results with the words of posts, does not become a part of the bundle.

    Raises:
        OutputError: The bundle cannot be written.
    """
    try:
        for name, path in added.items():
            if not is_one_file(bundle.folder / name, [path]):
                shutil.copyfile(path, bundle.folder / name)
        (bundle.folder / CARD).write_text(card, encoding="utf-8")
    except OSError as error:
        raise OutputError(f"Cannot write into '{bundle.folder}': {error.strerror}.") from None
    return write_manifest(bundle.folder, bundle.manifest.model_dump(mode="json"), {*bundle.manifest.files, *added})


def _indexed(runs: Sequence[Run]) -> list[EvalResult]:
    return [
        EvalResult(
            task_type="multi-label-classification",
            task_name="Hate speech detection",
            dataset_type=Path(run.facts.data).stem,
            dataset_name=_dataset(run.facts),
            dataset_split=run.facts.split,
            metric_type=key,
            metric_name=title(key),
            metric_value=round(estimate.value, 4),
        )
        for run in runs
        for key in INDEXED
        if (estimate := run.main.estimate(key)) is not None and estimate.value is not None
    ]


def _dataset(facts: Facts) -> str:
    """Returns what the Hub calls the data: the name that was given to the run, or without one that of the table."""
    unnamed = {facts.model, f"{facts.model} {facts.policy}"}
    return facts.data if facts.name in unnamed else facts.name
