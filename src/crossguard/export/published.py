"""Checkpoints in the published layout of the two model cards, opened as bundles.

`crossguard.registry` calls `as_bundle` for a folder that is no bundle; the bundle is made once and kept in a cache.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from pathlib import Path
from typing import Any, Final

from crossguard.bundle import MANIFEST, TOKENIZER, sha256
from crossguard.cache import cache_folder
from crossguard.errors import BundleError
from crossguard.export.bundle import ExportPlan, export_bundle
from crossguard.models.loading import INFERENCE_CONFIG, find_inference_config, find_weights

# How the reference turns pictures into pixels when it evaluates: shorter side to size, centre crop, bilinear.
REFERENCE_IMAGE: Final = {"resize": "crop", "interpolation": "bilinear"}


def is_checkpoint(folder: Path) -> bool:
    """Whether a folder holds weights and an `inference_config.json` in the published layout."""
    try:
        find_weights(folder)
        find_inference_config(folder)
    except FileNotFoundError:
        return False
    return True


def as_bundle(folder: Path) -> Path:
    """Returns a bundle of a checkpoint, made on the first call.

    Raises:
        BundleError: The checkpoint is inconsistent, or its tokenizer cannot be had.
    """
    weights, config = find_weights(folder), find_inference_config(folder)
    key = hashlib.sha256((sha256(weights) + sha256(config)).encode()).hexdigest()[:16]
    out = cache_folder() / "bundles" / key
    if (out / MANIFEST).is_file():
        return out
    work = out.with_name(f"{key}.{os.getpid()}.draft")
    shutil.rmtree(work, ignore_errors=True)
    source = _with_all_files(weights, config, work / "checkpoint")
    name = _name(config.parent)
    export_bundle(source, work / "bundle", ExportPlan(name))
    shutil.rmtree(out, ignore_errors=True)
    shutil.move(work / "bundle", out)
    shutil.rmtree(work, ignore_errors=True)
    return out


def _with_all_files(weights: Path, config: Path, folder: Path) -> Path:
    """Gathers weights, configuration and tokenizer in one folder, and says what the layout leaves to its code."""
    shutil.copytree(config.parent, folder, ignore=shutil.ignore_patterns("checkpoint-*", "*.safetensors", "*.py"))
    (folder / weights.name).symlink_to(weights.resolve())
    inference: dict[str, Any] = json.loads(config.read_text(encoding="utf-8"))
    inference["image"] = REFERENCE_IMAGE | inference.get("image", {})
    encoder = config.parent / str(inference.get("encoder_name", ""))
    inference |= _sizes(encoder if encoder.is_dir() else None, inference)
    (folder / INFERENCE_CONFIG).write_text(json.dumps(inference), encoding="utf-8")
    if not (folder / TOKENIZER).is_file():
        _find_tokenizer(encoder, inference, folder / TOKENIZER)
    return folder


def _sizes(encoder: Path | None, inference: dict[str, Any]) -> dict[str, int]:
    """Takes the picture's size and the text's length from the encoder's configuration."""
    if encoder is None or not (encoder / "config.json").is_file():
        return {}
    config = json.loads((encoder / "config.json").read_text(encoding="utf-8"))
    sizes = {
        "image_size": config.get("vision_config", {}).get("image_size"),
        "max_text_length": config.get("text_config", {}).get("max_position_embeddings"),
    }
    return {key: size for key, size in sizes.items() if size is not None and key not in inference}


def _find_tokenizer(encoder: Path, inference: dict[str, Any], out: Path) -> None:
    if (encoder / TOKENIZER).is_file():
        shutil.copyfile(encoder / TOKENIZER, out)
        return
    from crossguard.models.tokenizers import write_pretrained

    source = str(encoder) if encoder.is_dir() else str(inference["encoder_name"])
    try:
        write_pretrained(source, out, lowercase=inference.get("backend") == "siglip")
    except (OSError, ValueError) as error:
        raise BundleError(
            f"The checkpoint has no {TOKENIZER}, and the tokenizer of '{source}' cannot be had: "
            f"{str(error).splitlines()[0]} Put {TOKENIZER} beside {INFERENCE_CONFIG}."
        ) from None


def _name(folder: Path) -> str:
    """Names the model after its folder; the Hub's cache keeps a repository as models--owner--name/snapshots/<hash>."""
    parts = [part for part in folder.resolve().parts if part.startswith("models--")]
    return parts[-1].split("--")[-1] if parts else folder.resolve().name
