"""Uploading an exported folder to the Hugging Face Hub."""

from __future__ import annotations

import glob
from pathlib import Path
from typing import Any, Final

from crossguard.bundle import CARD, read_bundle
from crossguard.errors import BundleError, OutputError, first_line
from crossguard.models.loading import CONFIG
from crossguard.registry import MANIFEST

# Results of `evaluate` and `audit`, whose pages show words of posts; not test_metrics.json, which a model may carry.
RESULTS: Final = ("run.json", "test_report.json", "scores.npz", "report.html", "audit.json", "audit.html")
# What a run keeps for itself and nobody else needs.
LEFT_HOME: Final = (
    "state.pt", "best.pt", "*.unfinished", ".lock", "tensorboard/*", "predictions.npz", "log.jsonl",
    *RESULTS, *(f"*/{name}" for name in RESULTS),
)  # fmt: skip
# What people lay beside a bundle so that it travels along.
TERMS: Final = ("LICENSE*", "NOTICE*")


def push(folder: Path, repository: str, *, private: bool = False, api: Any = None) -> str:
    """Uploads a bundle, as it lists itself, or a Hugging Face folder without what its run keeps for itself.

    Returns:
        The address of the upload.

    Raises:
        BundleError: The folder is not an export, or a bundle that nobody could load.
        OutputError: The Hub refused.
    """
    from httpx2 import HTTPError
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalTokenNotFoundError

    is_bundle = (folder / MANIFEST).is_file()
    if not is_bundle and not (folder / CONFIG).is_file():
        raise BundleError(f"{folder} holds neither {MANIFEST} nor {CONFIG}. Make it with: crossguard export")
    allowed, ignored = (_of_bundle(folder), []) if is_bundle else (None, list(LEFT_HOME))
    hub = api or HfApi()
    try:
        hub.create_repo(repository, private=private, exist_ok=True)
        done = hub.upload_folder(
            repo_id=repository, folder_path=str(folder), allow_patterns=allowed, ignore_patterns=ignored
        )
    except (HfHubHTTPError, HFValidationError, LocalTokenNotFoundError) as error:
        raise OutputError(
            f"The Hub did not take '{repository}': {first_line(error)} Log in with: hf auth login"
        ) from None
    except (HTTPError, OSError) as error:
        raise OutputError(
            f"The Hugging Face Hub cannot be reached ({type(error).__name__}: {first_line(error)}). "
            "Nothing was uploaded; with a network, and without HF_HUB_OFFLINE, run the same command again."
        ) from None
    return str(done)


def _of_bundle(folder: Path) -> list[str]:
    """Returns patterns of the files of a bundle that are uploaded."""
    names = (*read_bundle(folder).manifest.files, MANIFEST, CARD)
    return [*map(glob.escape, names), *TERMS]
