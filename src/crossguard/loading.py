"""Opens what people call a model: a shipped name, a bundle, a Hub id, or a PyTorch checkpoint, which is converted."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Unpack

from crossguard.errors import ConfigError, needs_extra
from crossguard.registry import MANIFEST, find, holds_checkpoint
from crossguard.runtimes.ahead import loading_ahead
from crossguard.runtimes.settings import check_threads

if TYPE_CHECKING:
    from crossguard.moderator import LoadOptions, Moderator


def load(
    model: str | Path = "compact",
    *,
    revision: str | None = None,
    images_ahead: bool = False,
    characters_ahead: int = 0,
    **options: Unpack[LoadOptions],
) -> Moderator:
    """Loads a model.

    Args:
        model: A shipped name (`compact`), a folder, or a Hub id; of a bundle, or of a checkpoint in the layout of the
            published model cards. A checkpoint is converted on the first call, and kept in the user's cache.
        revision: Branch, tag or commit of a Hub repository.
        images_ahead: Whether the image encoder is loaded at once, and not when the first image comes.
        characters_ahead: How long the first text is, where that is known and posts come one by one.
        **options: As of `Moderator.load`: policy, tenant, runtime, precision, threads, image_limits, image_root,
            pixels, other_languages, verify, limits, one_by_one.

    Raises:
        BundleError: The model is unknown, newer, corrupted or inconsistent.
        ConfigError: The policy, runtime, precision or pixel mode is unknown or wrong; `model`, `threads` or
            `characters_ahead` is of another kind; or a revision of a folder.
        MissingExtraError: The runtime, or what a conversion needs, is not installed.
        OutputError: A checkpoint was given, and there is no place for a cache.
    """
    check_threads(options.get("threads"))
    if not _is_length(characters_ahead):
        raise ConfigError(f"characters_ahead is {characters_ahead!r}; it is how long the first text is, or 0.")
    folder = find_bundle(model, revision)
    # What the first posts need, while modules are imported, the bundle is checked and the tokenizer is read.
    ahead: AbstractContextManager[None] = nullcontext()
    if options.get("runtime", "auto") != "onnx" and options.get("verify", True):
        ahead = loading_ahead(
            folder / MANIFEST,
            ("text", "fusion", "image") if images_ahead else ("text", "fusion"),
            options.get("precision", "auto"),
            options.get("threads"),
            one_by_one=options.get("one_by_one", False),
            characters=characters_ahead,
        )
    with ahead:
        from crossguard.moderator import Moderator

        return Moderator.load(folder, **options)


def find_bundle(model: str | Path, revision: str | None = None) -> Path:
    """Returns the folder of a model's bundle; arguments and errors as of `load`."""
    folder = find(model, revision)
    if not holds_checkpoint(folder):
        return folder
    with needs_extra("Opening a PyTorch checkpoint", "train"):
        from crossguard.export.bundle import as_bundle
    return as_bundle(folder)


def _is_length(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0
