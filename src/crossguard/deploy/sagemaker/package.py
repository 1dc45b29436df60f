"""A bundle becomes the `model.tar.gz` that SageMaker unpacks to `/opt/ml/model`."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import Final

from crossguard.bundle import MANIFEST, Bundle, sha256, write_manifest
from crossguard.deploy.sagemaker.archive import Source, write_tar_gz
from crossguard.deploy.sagemaker.source import inference_code, training_code
from crossguard.errors import OutputError

# What a model needs for serving, and what people read about it; weights for PyTorch and logs are not among it.
SERVED: Final = ("*.onnx", "*.onnx.data", "*.json", "*.md", "*.yaml", "LICENSE*", "NOTICE*")
LEFT_OUT: Final = ("config.json",)


@dataclass(frozen=True, slots=True)
class Packed:
    """A written archive.

    Attributes:
        path: Where it lies; its checksum lies beside it as `NAME.sha256`, in the format of `sha256sum --check`.
        sha256: Of the archive.
        size: Bytes of the archive.
        left_out: Files of the bundle that serving does not need.
    """

    path: Path
    sha256: str
    size: int
    left_out: tuple[str, ...] = ()


def package_model(bundle: Bundle, output: Path) -> Packed:
    """Writes a model archive: the bundle at its top, and the handler for AWS's PyTorch containers in `code`.

    Our own container ignores `code`. The same bundle and the same Crossguard give the same bytes.

    Raises:
        OutputError: The archive cannot be written.
    """
    kept = [name for name in bundle.manifest.files if _is_served(name)]
    with tempfile.TemporaryDirectory() as scratch:
        served = _copy(bundle, kept, Path(scratch))
        files: dict[str, Source] = {name: served.folder / name for name in (MANIFEST, *kept)}
        files |= {f"code/{name}": source for name, source in inference_code().items()}
        left_out = tuple(sorted(set(bundle.manifest.files) - set(kept)))
        return _pack(output, files, left_out)


def package_training(output: Path) -> Packed:
    """Writes the source archive of a training job on AWS's PyTorch containers: entry point, Crossguard, requirements.

    Raises:
        OutputError: The archive cannot be written.
    """
    return _pack(output, training_code())


def write_code(folder: Path) -> None:
    """Writes the folder `code` of the archive by itself, for SDKs that ask for a `source_dir`.

    Raises:
        OutputError: It cannot be written.
    """
    try:
        for name, source in inference_code().items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(source if isinstance(source, bytes) else source.read_bytes())
    except OSError as error:
        raise OutputError(f"Cannot write {folder}: {error.strerror}.") from None


def _is_served(name: str) -> bool:
    return "/" not in name and name not in LEFT_OUT and any(fnmatch(name, pattern) for pattern in SERVED)


def _copy(bundle: Bundle, names: Iterable[str], folder: Path) -> Bundle:
    """Copies some files of a bundle, with a manifest that lists only those."""
    for name in names:
        shutil.copyfile(bundle.folder / name, folder / name)
    return write_manifest(folder, bundle.manifest.model_dump(mode="json", exclude={"files", "schema_version"}))


def _pack(output: Path, files: Mapping[str, Source], left_out: tuple[str, ...] = ()) -> Packed:
    write_tar_gz(output, files)
    digest = sha256(output)
    beside = output.with_name(output.name + ".sha256")
    try:
        beside.write_text(f"{digest}  {output.name}\n", encoding="utf-8")
    except OSError as error:
        raise OutputError(f"Cannot write {beside}: {error.strerror}.") from None
    return Packed(output, digest, output.stat().st_size, left_out)
