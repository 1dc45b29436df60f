"""Finds a bundle by name: shipped with the package, a folder, or a repository of the Hugging Face Hub."""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path
from typing import Final

from crossguard.errors import BundleError, ConfigError, OutputError, first_line, suggest

RESOURCES: Final = Path(__file__).parent / "resources"
MANIFEST: Final = "bundle.json"
CARD_CONFIG: Final = "inference_config.json"
HUB_ID: Final = re.compile(r"^\w[\w.-]*/\w[\w.-]*$")


def shipped() -> dict[str, Path]:
    """Returns the bundles inside the package by name."""
    return {path.parent.name: path.parent for path in sorted(RESOURCES.glob("*/bundle.json"))}


def find(name: str | Path, revision: str | None = None) -> Path:
    """Returns the folder of a bundle, an absolute path; downloads it when `name` is a Hub id.

    Args:
        name: A shipped name (`compact`), a folder, or a Hub id (`organisation/model`).
        revision: Branch, tag or commit of a Hub repository.

    Raises:
        BundleError: Nothing of that name exists, its folder is closed to this process, or the Hub cannot be reached.
        ConfigError: A revision of what is no Hub repository, or `name` is neither a text nor a path.
    """
    if not isinstance(name, str | os.PathLike):
        raise ConfigError(f"The model is a name such as 'compact', a folder or a Hub id, not {type(name).__name__}.")
    known = shipped()
    # Absolute, because files are read when they are needed, perhaps from another working folder.
    expanded = os.path.expanduser(name)  # noqa: PTH111 - pathlib raises where nobody has that name
    folder = known.get(str(name)) or Path(expanded).absolute()
    is_hub_id = isinstance(name, str) and HUB_ID.match(name) is not None
    if name and _is_folder(folder, or_closed=not is_hub_id):
        if revision is not None:
            raise ConfigError(
                f"A revision is of a Hub repository, and the model '{name}' is in a folder. Leave it out."
            )
        return folder
    if is_hub_id:
        return _download(str(name), revision)
    raise BundleError(
        f"Unknown model '{name}'.{suggest(str(name), known)} "
        "A folder with a bundle and a Hub id such as 'organisation/model' work too."
    )


def _is_folder(path: Path, *, or_closed: bool) -> bool:
    """Whether this is a folder, and not a name that no folder could have.

    Raises:
        BundleError: This process may not look, and it can be nothing `or_closed`.
    """
    try:
        return stat.S_ISDIR(path.stat().st_mode)
    except PermissionError as error:
        if not or_closed:
            return False
        raise BundleError(f"Cannot read the model '{path}': {error.strerror}.") from None
    except (OSError, ValueError):
        return False


def refuse_bundle(folder: Path) -> None:
    """Checks that results may be written to a folder: a bundle is corrupted by other files than it lists.

    Raises:
        OutputError: It holds one.
    """
    if (folder / MANIFEST).is_file():
        raise OutputError(
            f"'{folder}' holds a bundle ({MANIFEST}), whose files and checksums must stay as they are. "
            "Choose another folder."
        )


def holds_checkpoint(folder: Path) -> bool:
    """Whether a folder is no bundle, and has or lies beside the configuration of a PyTorch checkpoint."""
    return not (folder / MANIFEST).is_file() and any((f / CARD_CONFIG).is_file() for f in (folder, folder.parent))


def _download(repository: str, revision: str | None) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HFValidationError, HTTPError  # type: ignore[attr-defined]  # httpx's or httpx2's

    try:
        return Path(snapshot_download(repository, revision=revision))
    except (HTTPError, HFValidationError, OSError) as error:
        raise BundleError(
            f"'{repository}' is neither a folder nor reachable on the Hugging Face Hub ({type(error).__name__}: "
            f"{first_line(error)}). With a network, try again; without one, give a local folder."
        ) from None
