"""Opens what people call a model: a shipped name, a bundle, a Hub id, or a PyTorch checkpoint, which is converted."""

from __future__ import annotations

from pathlib import Path
from typing import Unpack

from crossguard.bundle import MANIFEST
from crossguard.errors import BundleError, needs_extra
from crossguard.moderator import LoadOptions, Moderator
from crossguard.registry import find, holds_checkpoint


def load(model: str | Path = "compact", *, revision: str | None = None, **options: Unpack[LoadOptions]) -> Moderator:
    """Loads a model.

    Args:
        model: A shipped name (`compact`), a folder, or a Hub id; of a bundle, or of a checkpoint in the layout of the
            published model cards. A checkpoint is converted on the first call, and kept in the user's cache.
        revision: Branch, tag or commit of a Hub repository.
        **options: As of `Moderator.load`: policy, tenant, runtime, precision, threads, image_limits, image_root,
            pixels, other_languages, verify, limits.

    Raises:
        BundleError: The model is unknown, newer, corrupted or inconsistent.
        ConfigError: The policy, runtime, precision or pixel mode is unknown or wrong.
        MissingExtraError: The runtime, or what a conversion needs, is not installed.
    """
    return Moderator.load(find_bundle(model, revision), **options)


def find_bundle(model: str | Path, revision: str | None = None) -> Path:
    """Returns the folder of a model's bundle; arguments and errors as of `load`."""
    folder = find(model, revision)
    if not holds_checkpoint(folder):
        return folder
    with needs_extra("Opening a PyTorch checkpoint", "train"):
        from crossguard.export.checkpoint import as_bundle, is_checkpoint
    if not is_checkpoint(folder):
        raise BundleError(f"{folder} has no {MANIFEST}, and no weights (model.safetensors) beside its configuration.")
    return as_bundle(folder)
