"""Archives for SageMaker: a bundle, and Crossguard's own code for AWS's images. The same files give the same bytes."""

from __future__ import annotations

import gzip
import importlib.metadata
import re
import shutil
import tarfile
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import Final

from crossguard.bundle import CARD, Bundle, sha256, write_manifest
from crossguard.errors import OutputError
from crossguard.saving import whole_file

PACKAGE: Final = Path(__file__).resolve().parents[2]
# What a model needs for serving, and what people read about it; weights for PyTorch and logs are not among it.
SERVED: Final = ("*.onnx", "*.onnx.data", "*.json", "*.md", "*.yaml", "LICENSE*", "NOTICE*")
LEFT_OUT: Final = ("config.json",)
EXTRA: Final = re.compile(r"""extra\s*==\s*['"]([\w-]+)['"]""")

INFERENCE: Final = b'''"""What the SageMaker PyTorch containers call; see `crossguard.deploy.sagemaker.inference`."""

from crossguard.deploy.sagemaker.inference import input_fn, model_fn, output_fn, predict_fn

__all__ = ["input_fn", "model_fn", "output_fn", "predict_fn"]
'''

TRAIN: Final = b'''"""What the SageMaker PyTorch containers run; see `crossguard.deploy.sagemaker.train`."""

from crossguard.deploy.sagemaker.train import main

if __name__ == "__main__":
    main()
'''


@dataclass(frozen=True, slots=True)
class Packed:
    """A written archive."""

    path: Path  # where it lies; its checksum lies beside it as `NAME.sha256`, in the format of `sha256sum --check`
    sha256: str
    size: int
    left_out: tuple[str, ...] = ()  # files of the bundle that serving does not need


def package_model(bundle: Bundle, output: Path) -> Packed:
    """Writes a model archive: the bundle at its top, and the handler for AWS's PyTorch containers in `code`.

    Our own container ignores `code`. The same bundle and the same Crossguard give the same bytes.
    """
    card = [CARD] if (bundle.folder / CARD).is_file() else []
    kept = [*filter(_is_served, bundle.manifest.files), *card]
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        for name in kept:
            shutil.copyfile(bundle.folder / name, folder / name)
        write_manifest(folder, bundle.manifest.model_dump(mode="json"))
        write_code(folder / "code")
        return _pack(output, folder, tuple(sorted(set(bundle.manifest.files) - set(kept))))


def package_training(output: Path) -> Packed:
    """Writes the source archive of training on AWS's PyTorch containers: entry point, Crossguard, requirements."""
    with tempfile.TemporaryDirectory() as scratch:
        extras = ("train", "evaluate", "parquet", "compact")
        _write_package(Path(scratch), ("train.py", TRAIN), extras, "resources/recipes/*.yaml")
        return _pack(output, Path(scratch))


def write_code(folder: Path) -> None:
    """Writes the folder `code` of the archive by itself, for SDKs that ask for a `source_dir`.

    Raises:
        OutputError: It cannot be written, or holds files of somebody else, of which some would be replaced.
    """
    entry = folder / "inference.py"
    if folder.is_dir() and any(folder.iterdir()) and not (entry.is_file() and entry.read_bytes() == INFERENCE):
        raise OutputError(f"'{folder}' holds other files, of which some would be replaced. Choose a new folder.")
    try:
        _write_package(folder, ("inference.py", INFERENCE))
    except OSError as error:
        raise OutputError(f"Cannot write {folder}: {error.strerror}.") from None


def _write_package(folder: Path, entry: tuple[str, bytes], extras: Sequence[str] = (), *more: str) -> None:
    """Writes an entry point, what it needs installed, and our own code with what it reads; models lie elsewhere."""
    for pattern in ("*.py", "resources/*.txt", *more):
        for path in PACKAGE.rglob(pattern):
            target = folder / path.relative_to(PACKAGE.parent)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target)
    (folder / entry[0]).write_bytes(entry[1])
    (folder / "requirements.txt").write_text(_requirements(*extras), encoding="utf-8", newline="\n")


def _requirements(*extras: str) -> str:
    """Returns what a container must install: what this Crossguard declares, with extras, and not Crossguard itself."""
    lines = set()
    for line in importlib.metadata.requires("crossguard") or []:
        requirement, _, condition = line.partition(";")
        extra = EXTRA.search(condition)
        if not requirement.startswith("crossguard") and (extra is None or extra[1] in extras):
            lines.add(requirement.strip())
    return "".join(f"{line}\n" for line in sorted(lines))


def _is_served(name: str) -> bool:
    return "/" not in name and name not in LEFT_OUT and any(fnmatch(name, pattern) for pattern in SERVED)


def _pack(output: Path, folder: Path, left_out: tuple[str, ...] = ()) -> Packed:
    try:
        _write(output, folder)
        digest = sha256(output)
        output.with_name(output.name + ".sha256").write_text(f"{digest}  {output.name}\n", encoding="utf-8")
    except OSError as error:
        raise OutputError(f"Cannot write {error.filename or output}: {error.strerror}.") from None
    return Packed(output, digest, output.stat().st_size, left_out)


def _write(path: Path, folder: Path) -> None:
    """Writes an archive whose bytes depend on nothing but its files; a reader never sees half of one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    # An empty name and a fixed time: gzip would store both.
    with (
        whole_file(path) as part,
        part.open("wb") as raw,
        gzip.GzipFile(filename="", mode="wb", fileobj=raw, mtime=0) as packed,
        tarfile.open(mode="w", fileobj=packed, format=tarfile.USTAR_FORMAT) as archive,
    ):
        for name in sorted(file.relative_to(folder).as_posix() for file in folder.rglob("*") if file.is_file()):
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = (folder / name).stat().st_size, 0o644
            with (folder / name).open("rb") as content:
                archive.addfile(entry, content)
