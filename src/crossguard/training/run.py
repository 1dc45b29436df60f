"""A whole run: tables and a recipe in, a folder with a trained model out."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from crossguard.bundle import TOKENIZER
from crossguard.cache import cache_folder
from crossguard.errors import ConfigError
from crossguard.evaluation.leakage import joined_fingerprints, overlaps, stored_fingerprints
from crossguard.models.building import from_pretrained_encoder, tiny
from crossguard.models.config import ModelConfig
from crossguard.models.gated import GatedModel
from crossguard.models.loading import Outputs, find_inference_config, load_average, read_inference
from crossguard.training.batches import Batcher
from crossguard.training.checkpoint_files import posts_of, write_checkpoint_files
from crossguard.training.examples import Examples
from crossguard.training.measure import chosen, measure_outputs, unmeasured
from crossguard.training.optimizer import checkpoint_gradients, freeze, set_dropout
from crossguard.training.pixels import PixelCache, cache_sources, check_images
from crossguard.training.recipe import Recipe
from crossguard.training.sources import Fold, prepared_losses, read_examples, unlearnable
from crossguard.training.state import check_folder, claimed, saved_precision
from crossguard.training.tokenizers import TINY, MaskingEncoder, reading_pretrained, write_tokenizer
from crossguard.training.trainer import Trainer

logger = logging.getLogger(__name__)


def train(
    recipe: Recipe,
    data: str | Path,
    folder: Path,
    *,
    resume: bool = False,
    fold: Fold | None = None,
    start: Sequence[Path] = (),
    save_every: int | None = None,
) -> dict[str, float]:
    """Trains a model.

    Args:
        recipe: What to do.
        data: A table, or a folder with a table per source, here or in a storage; see `read_examples`.
        folder: Where everything of the run goes; must be new or empty unless `resume`.
        resume: Go on with the run in the folder.
        fold: Hold out one part of the sources that are cross-validated.
        start: Runs of the same model, whose weights are averaged to start from; their labels may be others, and the
            last layer is then a new one. Not needed to resume.
        save_every: Write the state after that many steps, besides after each epoch.

    Returns:
        The measures of the final weights.

    Raises:
        ConfigError: Something about the recipe, the data or the folder is wrong.
        OutputError: The folder cannot be written, or another run writes into it.
    """
    check_folder(folder, resume=resume)
    with claimed(folder):
        examples, measured = read_examples(recipe, data, fold)
        earlier = _starts(start)
        trained_before = _trained_before(start)
        _warn(recipe, examples, measured, fold)
        _warn_of_leaks(measured, trained_before)
        _warn_of_choice(recipe, measured)
        _warn_of_unmeasured(recipe, measured)
        model, encoder, tokenizer = _build(recipe, start)
        training_images, measured_images = _caches(recipe, data, examples, measured)
        untrained = _untrained(examples, training_images, earlier)
        if not resume:  # a run that goes on was told, and need not name again what it started from
            _warn_of_untrained(examples, untrained)
        train_on = Batcher(recipe, examples, encoder, training_images)
        measure_on = Batcher(recipe, measured, encoder, measured_images)
        cut = measure_on.texts.cut
        _warn_of_cut(recipe, cut)
        began = saved_precision(folder) if resume else None
        trainer = Trainer(recipe, model, train_on, measure_on, folder, began=began)
        trainer.state.untrained = untrained
        trainer.state.trained_before = trained_before
        measures, logits = trainer.run(resume=resume, save_every=save_every)
        if trainer.accelerator.is_main_process:
            write_checkpoint_files(
                recipe,
                model,
                folder,
                trained=examples,
                measured=measured,
                measures=measures,
                logits=logits,
                cut=cut,
                tokenizer=tokenizer,
                untrained=trainer.state.untrained,
                trained_before=trainer.state.trained_before,
            )
        trainer.accelerator.wait_for_everyone()
        return measures


def _starts(start: Sequence[Path]) -> list[dict[str, Any]]:
    """Returns what is known of the runs that this one starts from."""
    try:
        return [read_inference(run) for run in start]
    except (FileNotFoundError, ValueError) as error:
        raise ConfigError(f"Cannot start from {', '.join(map(str, start))}: {error}") from None


def _trained_before(start: Sequence[Path]) -> list[dict[str, Any]]:
    """Returns fingerprints of what the runs were trained on that this one starts from, one per name."""
    folders = [find_inference_config(run).parent for run in start]
    return joined_fingerprints(entry for folder in folders for entry in stored_fingerprints(folder, "trained_on"))


def _warn_of_leaks(measured: Examples, trained_before: Sequence[Mapping[str, Any]]) -> None:
    """Says which held-out posts the weights know that the run starts from."""
    for entry, found in overlaps(trained_before, (post for _, post in posts_of(measured))):
        logger.warning(
            "%s of %s held-out posts were trained on before ('%s', by what --start names), so measures of this run "
            "will look better than they are. Hold out what was held out then, by the same --fold or column 'split', "
            "or start from other weights.",
            f"{'' if found.tested == len(measured) else 'About '}{round(found.share * len(measured)):,}",
            f"{len(measured):,}",
            entry["name"],
        )


def _untrained(examples: Examples, readable: PixelCache, earlier: Sequence[dict[str, Any]]) -> list[str]:
    """Returns which of `text` and `image` neither this run nor those that it starts from see in training."""
    unseen = dict.fromkeys([*examples.absent, *["image"] * (not readable.images)])
    return [kind for kind in unseen if all(kind in one.get("untrained", ()) for one in earlier)]


def _warn_of_untrained(examples: Examples, untrained: Sequence[str]) -> None:
    for kind in untrained:
        which = "" if kind in examples.absent else " that can be read"
        logger.warning("No post has any %s%s, so scores of %ss will mean nothing.", kind, which, kind)


def _warn(recipe: Recipe, examples: Examples, measured: Examples, fold: Fold | None) -> None:
    """Says what the posts cannot teach, or cannot measure."""
    if not len(measured):
        told = (
            f"{fold} holds no post out: take fewer parts, or another one. Of several sources, those are divided that "
            "say `cross_validate`."
            if fold
            else "A column 'split' with 'train' and 'val' holds posts out, as does --fold 0/5."
        )
        logger.warning("No post is held out, so nothing will be measured. %s", told)
    if labels := unlearnable(recipe, examples):
        logger.warning(
            "All posts have the same answer for %s, or none, so that its scores will mean nothing. Is it a column of "
            "the data? Add posts with other answers, or leave it out of the recipe: --set 'labels=[...]'",
            ", ".join(labels),
        )


def _warn_of_choice(recipe: Recipe, measured: Examples) -> None:
    """Says so where no epoch can be better than another, because the held-out posts leave the metric undefined."""
    nothing = np.zeros(measured.targets.shape, dtype=np.float32)
    if not recipe.chooses_epoch or not np.isnan(chosen(recipe, measure_outputs(recipe, measured, nothing))):
        return
    effects = ["the last epoch is kept"] * recipe.select_best
    effects += ["early_stopping_patience does nothing"] * (recipe.early_stopping_patience is not None)
    logger.warning(
        "%s cannot be measured, so %s. It needs held-out posts that carry a label and others that do not%s.",
        recipe.metric_for_best_model,
        " and ".join(effects),
        "; the loss needs any: --set metric_for_best_model=loss" if len(measured) else "",
    )


def _warn_of_unmeasured(recipe: Recipe, measured: Examples) -> None:
    """Says so where averages are over some of the labels: a macro average without the rare ones looks better."""
    if names := unmeasured(recipe, measured):
        logger.warning(
            "No held-out posts of both kinds for: %s. The averages of the run are over the other labels.",
            ", ".join(names),
        )


def _warn_of_cut(recipe: Recipe, cut: NDArray[np.bool_]) -> None:
    if cut.any():
        logger.warning(
            "%s of %s held-out posts have a text longer than max_text_length (%s tokens). The metrics of the run, and "
            "policies that are fitted to it, know only the beginning of these; a bundle reads all of a text.",
            f"{cut.sum():,}",
            f"{len(cut):,}",
            recipe.max_text_length,
        )


def _build(recipe: Recipe, start: Sequence[Path]) -> tuple[GatedModel, MaskingEncoder, str]:
    """Returns the model, what makes its tokens, and the content of `tokenizer.json`."""
    # That is written into the run's folder at the end: a run that is refused changes no file of another.
    with TemporaryDirectory() as scratch:
        tokenizer = Path(scratch) / TOKENIZER
        encoder = write_tokenizer(recipe, tokenizer)
        model = build_model(recipe, start)
        check_inputs(recipe, model, tokenizer)
        return model, encoder, tokenizer.read_text(encoding="utf-8")


def build_model(recipe: Recipe, start: Sequence[Path] = ()) -> GatedModel:
    """Returns the recipe's model, with pretrained encoders or the weights of an earlier run."""
    torch.manual_seed(recipe.init_seed)
    config = ModelConfig(
        recipe.backend,
        recipe.head,
        recipe.num_outputs,
        recipe.fusion_dim,
        recipe.head_hidden_dim,
        recipe.learnable_task_weights,
        recipe.loss_type,
        recipe.focal_gamma,
        recipe.encoder_name,
    )
    with reading_pretrained(f"load the encoders '{config.encoder_name}'"):
        model = tiny(config) if recipe.encoder_name == TINY else from_pretrained_encoder(config)
    if start:
        try:
            load_average(model, start, Outputs(recipe.labels, recipe.columns, recipe.num_outputs), new_outputs=True)
        except (FileNotFoundError, ValueError, KeyError) as error:
            raise ConfigError(f"Cannot start from {', '.join(map(str, start))}: {error}") from None
    freeze(model, recipe)
    set_dropout(model, recipe)
    if recipe.gradient_checkpointing:
        checkpoint_gradients(model)
    return model


def check_inputs(recipe: Recipe, model: GatedModel, tokenizer: Path) -> None:
    """Compares what the recipe feeds the encoders with what they take."""
    from tokenizers import Tokenizer

    highest = max(Tokenizer.from_file(str(tokenizer)).get_vocab().values(), default=0)
    problems = model.misfits(recipe.image_size, recipe.max_text_length, highest)
    if problems:
        raise ConfigError.gather(f"The encoder '{recipe.encoder_name}' does not fit the recipe", problems)


def _caches(recipe: Recipe, data: str | Path, examples: Examples, measured: Examples) -> tuple[PixelCache, PixelCache]:
    folder = cache_folder() / "pixels"
    training_images = cache_sources(examples, recipe.image_spec(recipe.cached_size), folder)
    measured_images = cache_sources(measured, recipe.image_spec(), folder)
    parts = (examples, training_images), (measured, measured_images)
    check_images(recipe, parts, prepared_losses(recipe, data))
    return training_images, measured_images
