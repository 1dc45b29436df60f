"""What an export starts from: a run of `crossguard train`, or a checkpoint in the layout of the two model cards.

A run says everything itself. A published checkpoint leaves the size of its images, the length of its texts, their
preprocessing and often its tokenizer to the encoder's own files; `open_checkpoint` fills these in, so that
`crossguard export CHECKPOINT` and `crossguard.load(CHECKPOINT)` give the same bundle.
"""

from __future__ import annotations

import itertools
import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final

from pydantic import Field
from tokenizers import Tokenizer

from crossguard.bundle import TOKENIZER
from crossguard.checked_settings import StrictModel, parse
from crossguard.errors import BundleError, ConfigError, first_line
from crossguard.export.policies import HALF
from crossguard.models.gated import GatedModel
from crossguard.models.loading import (
    INFERENCE_CONFIG,
    Checkpoint,
    Outputs,
    find_inference_config,
    load_average,
    load_checkpoint,
    read_inference,
)
from crossguard.models.tokenizers import first_id, read_pretrained, read_tokenizer
from crossguard.preprocessing.image import ImageSpec
from crossguard.preprocessing.text import TextSpec

logger = logging.getLogger(__name__)
# How the reference turns images into pixels when it evaluates: shorter side to size, centre crop, bilinear.
REFERENCE_IMAGE: Final = {"resize": "crop", "interpolation": "bilinear"}
_PADDING: Final = ("[PAD]", "<pad>", "<|endoftext|>", "<end>")


class _Decided(StrictModel):
    """How the outputs of a checkpoint are read."""

    class_names: tuple[str, ...] = Field(min_length=1)
    thresholds: tuple[Annotated[float, Field(ge=0, le=1)], ...]


@dataclass(frozen=True, slots=True)
class ExportSource:
    """A checkpoint with everything that an export needs."""

    model: GatedModel
    inference: dict[str, Any]  # `inference_config.json`; the encoder by a name that means something elsewhere
    folder: Path  # where the configuration lies
    text: TextSpec  # how texts become tokens
    image: ImageSpec  # how images become pixels
    tokenizer: str
    averaged: tuple[Path, ...] = ()  # where the configurations of further runs lie, whose weights are in the mean

    @property
    def labels(self) -> tuple[str, ...]:
        """Names of the labels."""
        return tuple(self.inference["class_names"])

    @property
    def label_schemes(self) -> dict[str, tuple[int, ...]]:
        """Columns of each label scheme; the one of all labels where the checkpoint names none."""
        return Outputs.of(self.inference).label_schemes

    @property
    def unfitted(self) -> tuple[str, ...]:
        """Labels whose stored threshold is one half, as the run was measured on too few posts to fit it."""
        return tuple(self.inference.get("unfitted", ()))

    @property
    def pad_token(self) -> str:
        """The token that pads texts."""
        return str(Tokenizer.from_str(self.tokenizer).id_to_token(self.text.pad_id))


def open_checkpoint(run: Path, average: tuple[Path, ...] = ()) -> ExportSource:
    """Loads a run or a published checkpoint, with the mean of its weights and those of `average`.

    Raises:
        BundleError: It is incomplete or inconsistent, or cannot be averaged with the others.
    """
    try:
        checkpoint = load_checkpoint(run)
    except KeyError as error:
        raise BundleError(f"{run} cannot be loaded: its configuration has no {error}.") from None
    except (FileNotFoundError, ValueError) as error:
        raise BundleError(f"{run} cannot be loaded: {error}") from None
    try:
        if average:
            load_average(checkpoint.model, [run, *average], Outputs.of(checkpoint.inference))
    except (FileNotFoundError, ValueError, KeyError) as error:
        raise BundleError(f"{run} cannot be averaged with {', '.join(map(str, average))}: {error}") from None
    model, inference, folder = checkpoint.model, checkpoint.inference, checkpoint.folder
    tokenizer, where = _tokenizer(checkpoint), str(folder / INFERENCE_CONFIG)
    try:
        decided = parse(_Decided, {key: inference[key] for key in _Decided.model_fields if key in inference}, where)
        text = parse(TextSpec, _text_settings(model, inference, tokenizer), where)
        image = parse(ImageSpec, _image_settings(model, inference), where)
    except ConfigError as error:
        raise BundleError(str(error)) from None
    highest = max(Tokenizer.from_str(tokenizer).get_vocab().values(), default=0)
    # Told here, before a library says so in hundreds of lines.
    problems = [*_misread(model, inference, decided), *model.misfits(image.size, text.max_length, highest)]
    if problems:
        raise BundleError(f"{run} is inconsistent: {'; '.join(problems)}.")
    told = {**inference, "encoder_name": public_name(str(inference.get("encoder_name", model.config.encoder_name)))}
    if average:
        others = [read_inference(one).get("untrained", ()) for one in average]
        told["untrained"] = [kind for kind in told.get("untrained", ()) if all(kind in one for one in others)]
    further = tuple(find_inference_config(one).parent for one in average)
    return ExportSource(model, told, folder, text, image, tokenizer, further)


def warn_of_thresholds(source: ExportSource) -> None:
    """Warns where the stored thresholds are those of one run, not of the mean of several, or were not fitted."""
    if source.unfitted:
        logger.warning(
            "%s was measured on too few posts to fit thresholds of these labels, which have the threshold %s: %s. To "
            "fit them to more posts: crossguard calibrate DATA --model BUNDLE",
            source.folder,
            HALF,
            ", ".join(source.unfitted),
        )
    if source.averaged:
        logger.warning(
            "The thresholds are those of %s before its weights were averaged; now they may flag more posts or fewer. "
            "Fit thresholds to the mean: crossguard calibrate DATA --model BUNDLE",
            source.folder,
        )


def public_name(encoder_name: str) -> str:
    """Returns a Hub id as it is, and of a local folder its name alone."""
    path = Path(encoder_name).expanduser()
    is_local = path.is_dir() or path.is_absolute() or encoder_name.startswith((".", "~"))
    return path.resolve().name if is_local else encoder_name


def _tokenizer(checkpoint: Checkpoint) -> str:
    inference, folder = checkpoint.inference, checkpoint.folder
    name = str(inference.get("encoder_name", ""))
    encoder = folder / name
    lowercase = checkpoint.model.config.backend == "siglip"
    try:
        for place in (folder, encoder):
            if (place / TOKENIZER).is_file():
                return read_tokenizer(place / TOKENIZER, lowercase=lowercase)
        return read_pretrained(str(encoder) if name and encoder.is_dir() else name, lowercase=lowercase)[0]
    except (OSError, ValueError) as error:
        raise BundleError(
            f"{folder} has no {TOKENIZER}, and the tokenizer of its encoder '{name}' cannot be had: "
            f"{first_line(error)} Put the encoder's {TOKENIZER} into {folder}."
        ) from None


def _text_settings(model: GatedModel, inference: dict[str, Any], tokenizer: str) -> dict[str, Any]:
    architecture = model.architecture
    return {
        "max_length": inference.get("max_text_length", model.text_positions),
        "padding": "longest" if architecture.trims_padding else "max_length",
        "attention_mask": architecture.reads_attention_mask,
        **inference.get("text", {}),
        # Where there is none: attention never sees it, or it follows the end token.
        "pad_id": first_id(Tokenizer.from_str(tokenizer), _PADDING),
    }


def _image_settings(model: GatedModel, inference: dict[str, Any]) -> dict[str, Any]:
    size = inference.get("image_size", model.image_size or 224)
    normal = {"mean": model.architecture.mean, "std": model.architecture.std}
    return {"size": size, **normal, **REFERENCE_IMAGE, **inference.get("image", {})}


def _misread(model: GatedModel, inference: dict[str, Any], decided: _Decided) -> list[str]:
    """Returns what does not fit the outputs of the model, in words."""
    names, thresholds = len(decided.class_names), len(decided.thresholds)
    problems = [f"it has {names} class_names and {thresholds} thresholds"] if names != thresholds else []
    schemes = Outputs.of(inference).label_schemes
    problems += [
        f"label scheme '{name}' has {len(columns)} columns for {names} labels"
        for name, columns in schemes.items()
        if len(columns) != names
    ]
    needed = 1 + max(itertools.chain.from_iterable(schemes.values()), default=0)
    if needed > model.config.num_outputs:
        problems.append(f"its labels are {needed} outputs, and the model has {model.config.num_outputs}")
    return problems
