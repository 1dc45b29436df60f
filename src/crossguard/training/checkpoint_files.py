"""The files of a finished run, with the names that the model cards list."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from crossguard.bundle import PROVENANCE, TOKENIZER, VAL_REPORT
from crossguard.decision.calibration import sigmoid
from crossguard.evaluation.calibration.criteria import Criterion
from crossguard.evaluation.calibration.maps import enough
from crossguard.evaluation.calibration.thresholds import fit_threshold
from crossguard.evaluation.leakage import joined_fingerprints, keys_of, numbered, post_hash, sketch
from crossguard.evaluation.results import evaluate, to_report
from crossguard.evaluation.sample import LabelTask, Sample
from crossguard.evaluation.score_tables import PREDICTIONS, pack_texts
from crossguard.models.gated import GatedModel
from crossguard.models.loading import INFERENCE_CONFIG, RECIPE, save_model
from crossguard.records import Post
from crossguard.saving import save_json, save_text, telling_of
from crossguard.training.examples import Examples
from crossguard.training.measure import output_names
from crossguard.training.recipe import Recipe
from crossguard.training.recipes import to_yaml
from crossguard.training.targets import HALF, Floats, answers


def write_checkpoint_files(
    recipe: Recipe,
    model: GatedModel,
    folder: Path,
    *,
    trained: Examples,
    measured: Examples,
    measures: dict[str, float],
    logits: Floats,
    cut: NDArray[np.bool_],
    tokenizer: str,
    untrained: Sequence[str] = (),
    trained_before: Iterable[Mapping[str, Any]] = (),
) -> None:
    """Writes tokenizer, configurations, measures, predictions and weights of a run.

    `cut` says of which measured posts only the beginning was read, and `untrained` which of `text` and `image` was
    never trained on. `trained_before` are the fingerprints of what the runs were trained on that this one started from.
    The thresholds here are those that maximise F1 on the measured posts; `crossguard calibrate` fits better ones. A
    label that too few different posts carry or lack keeps 0.5, and stands under `unfitted`.
    """
    save_text(folder / TOKENIZER, tokenizer)
    save_text(folder / RECIPE, to_yaml(recipe))
    names = output_names(recipe)[: len(recipe.labels)]
    columns = list(recipe.columns[recipe.label_schemes[0]])
    truth, scores = answers(measured.targets[:, columns]), sigmoid(logits[:, columns].astype(np.float64))
    contents = [post_hash(post) for _, post in posts_of(measured)]
    groups = numbered(keys_of(contents, measured.sources, measured.ids))
    sample = Sample.build(names, truth, scores, groups=groups)
    unfitted = [name for name in names if not _is_fitted(sample, name)]
    limits = {name: HALF if name in unfitted else _best_f1(sample.task(name)) for name in names}
    told = {"untrained": list(untrained), "unfitted": unfitted}
    save_json(folder / INFERENCE_CONFIG, inference_config(recipe, model, list(limits.values())) | told)
    save_json(folder / "label_map.json", {str(place): name for place, name in enumerate(recipe.labels)})
    save_json(folder / VAL_REPORT, to_report(evaluate(Sample.build(names, truth, scores, limits), rounds=0), limits))
    save_json(folder / "val_metrics.json", measures)
    save_json(folder / PROVENANCE, provenance(trained, measured, trained_before))
    with telling_of(folder / PREDICTIONS):
        np.savez_compressed(
            folder / PREDICTIONS,
            ids=pack_texts(measured.ids),
            sources=pack_texts(measured.sources),
            contents=pack_texts(contents),
            logits=logits,
            targets=measured.targets,
            unions=measured.unions,
            cut=cut,
        )
    # Last, as their presence is the sign of a finished run.
    save_model(model, folder)


def inference_config(recipe: Recipe, model: GatedModel, thresholds: list[float]) -> dict[str, Any]:
    """Returns all that is needed to load and read the model again."""
    shape = {name: value for name, value in model.config.to_dict().items() if name != "encoder"}
    return {
        "class_names": list(recipe.labels),
        "thresholds": thresholds,
        **shape,
        "label_schemes": {name: list(columns) for name, columns in recipe.columns.items()},
        "max_text_length": recipe.max_text_length,
        "image_size": recipe.image_size,
        "text": recipe.text_spec(0).model_dump(mode="json", exclude={"pad_id"}),
        "image": recipe.image_spec().model_dump(mode="json"),
    }


def provenance(
    trained: Examples, measured: Examples, trained_before: Iterable[Mapping[str, Any]] = ()
) -> dict[str, Any]:
    """Returns fingerprints of the posts of a run, by which a later evaluation notices that it knows them."""
    trained_on = joined_fingerprints(itertools.chain(trained_before, _fingerprints(trained)))
    return {"trained_on": trained_on, "measured_on": joined_fingerprints(_fingerprints(measured))}


def _fingerprints(examples: Examples) -> Iterator[dict[str, Any]]:
    for chunk in examples.chunks():
        posts: dict[str, list[Post]] = {}
        for source, post in posts_of(chunk):
            posts.setdefault(source, []).append(post)
        yield from ({"name": source, "sketch": sketch(own)} for source, own in posts.items())


def posts_of(examples: Examples) -> Iterator[tuple[str, Post]]:
    """Yields each post with the name of its source."""
    for chunk in examples.chunks():
        columns = (chunk.sources, chunk.ids, chunk.words, chunk.images)
        for source, id_, (text, words), image in zip(*columns, strict=True):
            yield source, Post(id_, text, image_text=words, image=image)


def _is_fitted(sample: Sample, label: str) -> bool:
    task = sample.task(label)
    return enough(task.truth, sample.owners[task.rows])


def _best_f1(task: LabelTask) -> float:
    """Returns the probability from which flagging gives the best F1."""
    return fit_threshold(Criterion("f1"), task.truth, task.scores)
