"""Checkpoints on disk: this project's own, and the published layout of the two model cards.

```
config.json             what this project writes: a `ModelConfig`
inference_config.json   class names, thresholds, backend and head; beside the weights or one folder above them
model.safetensors       weights; also in a `checkpoint-<step>` folder below
encoder/                optional: the encoder's configuration, where `encoder_name` names a folder
```
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Final

from crossguard.checked_settings import read_yaml
from crossguard.errors import OutputError, first_line
from crossguard.saving import save_json, whole_file

from .building import BACKBONES, HEADS, build
from .config import ModelConfig
from .gated import GatedModel

WEIGHTS = "model.safetensors"
WRAPPED: Final = "model."
CONFIG = "config.json"
INFERENCE_CONFIG = "inference_config.json"
RECIPE = "recipe.yaml"
# What decides in a recipe with which weights a run begins.
BEGINS: Final = ("encoder_name", "init_seed")
CHECKPOINT = re.compile(r"^checkpoint-(\d+)$")

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Checkpoint:
    """A model with what a user needs to read its outputs."""

    model: GatedModel
    inference: dict[str, Any]  # the content of `inference_config.json`: `class_names`, `thresholds`, and more
    folder: Path  # where the configuration lies


def load_checkpoint(folder: Path) -> Checkpoint:
    """Loads a checkpoint in the layout of the module's docstring.

    Raises:
        FileNotFoundError: No weights or no `inference_config.json`.
        ValueError: The weights are broken or do not fit the configuration, or that is broken.
    """
    weights, inference = find_weights(folder), read_inference(folder)
    root = find_inference_config(folder).parent
    model = build(model_config(inference, root))
    _fill(model, _read(weights), weights)
    return Checkpoint(model.eval(), inference, root)


@dataclass(frozen=True)
class Outputs:
    """What the outputs of a model stand for."""

    labels: tuple[str, ...]
    label_schemes: dict[str, tuple[int, ...]]  # the column of each label
    count: int  # of all columns, auxiliary ones included

    @classmethod
    def of(cls, inference: Mapping[str, Any]) -> Outputs:
        """Reads `inference_config.json`; without label schemes there is the one of all labels."""
        labels = tuple(inference["class_names"])
        stored = inference.get("label_schemes") or {"labels": range(len(labels))}
        schemes = {name: tuple(columns) for name, columns in stored.items()}
        return cls(labels, schemes, int(inference.get("num_outputs") or len(labels)))

    @classmethod
    def of_run(cls, folder: Path) -> Outputs:
        """Reads those of a run; raises as `read_inference`."""
        return cls.of(read_inference(folder))

    def are_alike(self, other: Outputs) -> bool:
        """Whether each column stands for the same, whatever the label schemes are called."""
        columns = [sorted(own.label_schemes.values()) for own in (self, other)]
        return (self.labels, self.count) == (other.labels, other.count) and columns[0] == columns[1]

    def __str__(self) -> str:
        return f"[{', '.join(self.labels)}] as {' and '.join(self.label_schemes)}, {self.count} outputs in all"


def load_average(model: GatedModel, folders: Sequence[Path], outputs: Outputs, *, new_outputs: bool = False) -> None:
    """Fills a model with the mean of the weights of runs that began alike (Wortsman et al., ICML 2022).

    Args:
        model: Of one shape with the runs.
        folders: The runs.
        outputs: What the model predicts.
        new_outputs: Whether the last layer stays as it is when a run predicts something else.

    Raises:
        FileNotFoundError: A folder has none.
        ValueError: They are broken, belong to another model, predict something else, or began with other weights.
    """
    _check_one_start(folders)
    others = {folder: own for folder in folders if not (own := Outputs.of_run(folder)).are_alike(outputs)}
    if others and new_outputs:
        shown = ", ".join(f"{folder} predicts {own}" for folder, own in others.items())
        logger.warning("The last layer begins anew, as %s.", shown)
    elif others:
        folder, own = next(iter(others.items()))
        raise ValueError(f"{folder} predicts {own}, and the model {outputs}. Give runs with the same labels.")
    renewed = model.output_weights if others else ()
    last = {name: value.clone() for name, value in model.state_dict().items() if name.startswith(renewed)}
    mean: dict[str, Any] = {}
    for count, path in enumerate(map(find_weights, folders), start=1):
        weights = {name: value for name, value in _read(path).items() if not name.startswith(renewed)} | last
        # Each is tried alone, so that the one that differs is named.
        _fill(model, weights, path)
        for name, weight in weights.items():
            if name not in mean:
                mean[name] = weight
            elif weight.is_floating_point():
                mean[name].lerp_(weight.to(mean[name].dtype), 1 / count)
    _fill(model, mean, folders[0])


def _check_one_start(folders: Sequence[Path]) -> None:
    """Refuses runs that began with different weights, by their recipes; of one without a recipe nothing is known."""
    begun: dict[str, tuple[Any, Path]] = {}
    for folder in folders:
        path = find_inference_config(folder).parent / RECIPE
        settings = read_yaml(path) if path.is_file() else {}
        for name in BEGINS:
            if name not in settings:
                continue
            value, first = begun.setdefault(name, (settings[name], folder))
            if settings[name] != value:
                raise ValueError(
                    f"{folder} began with '{name}: {settings[name]}', and {first} with '{name}: {value}'. A mean of "
                    "weights is only worth something for runs that began with the same."
                )


def _read(weights: Path) -> dict[str, Any]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        stored = load_file(weights)
    except SafetensorError as error:
        raise ValueError(f"{weights} is broken or was cut off ({error}). Copy or download it again.") from None
    # What `save_pretrained` writes of an exported folder stands below the wrapper of `AutoModel`.
    if stored and all(name.startswith(WRAPPED) for name in stored):
        stored = {name.removeprefix(WRAPPED): value for name, value in stored.items()}
    # Position ids are a counting buffer that old transformers stored with the weights.
    return {name: value for name, value in stored.items() if not name.endswith("position_ids")}


def has_weights(file: Path, model: GatedModel) -> bool:
    """Whether a file holds the weights of a model, to the bit."""
    own = model.state_dict()
    try:
        stored = _read(file)
    except ValueError:
        return False
    return stored.keys() == own.keys() and all(weight.equal(own[name].cpu()) for name, weight in stored.items())


def find_weights(folder: Path) -> Path:
    """Returns the weights of a folder, or of the newest checkpoint inside it."""
    if (folder / WEIGHTS).is_file():
        return folder / WEIGHTS
    steps = {int(match.group(1)): path for path in folder.glob("*") if (match := CHECKPOINT.match(path.name))}
    for step in sorted(steps, reverse=True):
        if (steps[step] / WEIGHTS).is_file():
            return steps[step] / WEIGHTS
    raise FileNotFoundError(f"{folder} holds no {WEIGHTS}, neither itself nor in a checkpoint-<step> folder.")


def find_inference_config(folder: Path) -> Path:
    """Returns `inference_config.json` from the folder, or from the one above it."""
    for place in (folder, folder.parent):
        if (place / INFERENCE_CONFIG).is_file():
            return place / INFERENCE_CONFIG
    raise FileNotFoundError(f"{folder} has no {INFERENCE_CONFIG}, neither beside nor above the weights.")


def read_inference(folder: Path) -> dict[str, Any]:
    """Reads the `inference_config.json` of a folder; raises as `find_inference_config`, and `ValueError` if broken."""
    return _read_json(find_inference_config(folder))


def _read_json(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path} is no JSON: {error}. Copy or download it again.") from None
    if not isinstance(found, dict):
        raise ValueError(f"{path} must hold an object, and holds {type(found).__name__}.")  # noqa: TRY004 - as of broken ones
    return found


def model_config(inference: dict[str, Any], folder: Path) -> ModelConfig:
    """Reads the shape of a model from its configuration files."""
    stored = folder / CONFIG
    written = _read_json(stored) if stored.is_file() else {}
    known = {field.name for field in fields(ModelConfig)}
    values = {name: value for name, value in {**inference, **written}.items() if name in known}
    values.setdefault("backend", "clip")
    values.setdefault("num_outputs", len(inference["class_names"]))
    values.setdefault("head", "fusion")
    for name, parts in (("backend", BACKBONES), ("head", HEADS)):
        if values[name] not in parts:
            raise ValueError(f"Unknown {name} '{values[name]}'. Known: {', '.join(sorted(parts))}.")
    if not values.get("encoder"):
        values["encoder"] = encoder_config(str(inference["encoder_name"]), folder)
    return ModelConfig(**values)


def encoder_config(encoder_name: str, folder: Path) -> dict[str, Any]:
    """Returns the encoder's own configuration from a folder beside the checkpoint, or from the Hub.

    Raises:
        ValueError: It cannot be had.
    """
    from transformers import AutoConfig

    local = folder / encoder_name
    try:
        found = AutoConfig.from_pretrained(str(local) if local.is_dir() else encoder_name)
    except OSError as error:
        raise ValueError(
            f"the configuration of its encoder '{encoder_name}' cannot be had: {first_line(error)} "
            f"Put the encoder's {CONFIG} into {local}."
        ) from None
    described: dict[str, Any] = found.to_diff_dict()
    return described


def save_model(model: GatedModel, folder: Path) -> None:
    """Writes `config.json`, then `model.safetensors`; raises as `whole_weights`."""
    from safetensors.torch import save_file

    folder.mkdir(parents=True, exist_ok=True)
    save_json(folder / CONFIG, model.config.to_dict())
    weights = {name: value.detach().cpu().contiguous() for name, value in model.state_dict().items()}
    with whole_weights(folder / WEIGHTS) as unfinished:
        save_file(weights, unfinished, metadata={"format": "pt"})


@contextmanager
def whole_weights(path: Path) -> Iterator[Path]:
    """Yields where to write tensors that appear under their name only when the block ends without an error.

    Raises:
        OutputError: They cannot be written, as on a full disk.
    """
    from safetensors import SafetensorError

    try:
        with whole_file(path) as unfinished:
            unfinished.touch()
            mode = unfinished.stat().st_mode
            yield unfinished
            unfinished.chmod(mode)  # safetensors keeps all others from reading a file
    except (OSError, RuntimeError, SafetensorError) as error:
        # Torch and safetensors have errors of their own for a full disk.
        told = error.strerror if isinstance(error, OSError) else f"is the disk full? {first_line(error)}"
        raise OutputError(f"Cannot write '{path}': {told}") from None


def _fill(model: GatedModel, weights: dict[str, Any], path: Path) -> None:
    try:
        missing, unexpected = model.load_state_dict(weights, strict=False)
    except RuntimeError as error:
        # Torch lists every tensor; the first says what is wrong.
        raise ValueError(f"{path} holds another model: {str(error).splitlines()[1].strip()}") from None
    if missing or unexpected:
        raise ValueError(
            f"{path} does not fit the configuration: {len(missing)} weights are missing {missing[:3]}, "
            f"{len(unexpected)} are unknown {unexpected[:3]}. Check `head`, `head_hidden_dim` and `fusion_dim`."
        )
