"""Uploading an exported folder to the Hugging Face Hub."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from crossguard.errors import BundleError, OutputError, first_line
from crossguard.models.loading import CONFIG
from crossguard.registry import MANIFEST

# What a run keeps for itself and nobody else needs.
LEFT_HOME: Final = ("state.pt", "best.pt", "*.unfinished", ".lock", "tensorboard/*", "predictions.npz", "log.jsonl")


def push(folder: Path, repository: str, *, private: bool = False, api: Any = None) -> str:
    """Uploads a bundle or a Hugging Face folder.

    Returns:
        The address of the upload.

    Raises:
        BundleError: The folder is not an export.
        OutputError: The Hub refused.
    """
    from httpx2 import HTTPError
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalTokenNotFoundError

    if not (folder / MANIFEST).is_file() and not (folder / CONFIG).is_file():
        raise BundleError(f"{folder} holds neither {MANIFEST} nor {CONFIG}. Make it with: crossguard export")
    hub = api or HfApi()
    try:
        hub.create_repo(repository, private=private, exist_ok=True)
        done = hub.upload_folder(repo_id=repository, folder_path=str(folder), ignore_patterns=list(LEFT_HOME))
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
