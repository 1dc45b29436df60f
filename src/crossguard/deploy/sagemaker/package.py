"""Archives for SageMaker: a bundle, and Crossguard's own code for AWS's images. The same files give the same bytes."""

from __future__ import annotations

import gzip
import importlib.metadata
import io
import re
import shutil
import tarfile
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import Final, TypeAlias

from crossguard.bundle import Bundle, sha256, write_manifest
from crossguard.errors import OutputError
from crossguard.registry import MANIFEST
from crossguard.saving import whole_file

# Where a file of an archive comes from: a file on disk, or its content.
Content: TypeAlias = Path | bytes
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
    kept = [name for name in bundle.manifest.files if _is_served(name)]
    with tempfile.TemporaryDirectory() as scratch:
        served = _copy(bundle, kept, Path(scratch))
        files: dict[str, Content] = {name: served.folder / name for name in (MANIFEST, *kept)}
        files |= {f"code/{name}": source for name, source in _inference_code().items()}
        return _pack(output, files, tuple(sorted(set(bundle.manifest.files) - set(kept))))


def package_training(output: Path) -> Packed:
    """Writes the source archive of training on AWS's PyTorch containers: entry point, Crossguard, requirements."""
    code = {"train.py": TRAIN, "requirements.txt": _requirements("train", "evaluate", "parquet")}
    return _pack(output, {**code, **_files("*.py", "resources/*.txt", "resources/recipes/*.yaml")})


def write_code(folder: Path) -> None:
    """Writes the folder `code` of the archive by itself, for SDKs that ask for a `source_dir`.

    Raises:
        OutputError: It cannot be written.
    """
    try:
        for name, source in _inference_code().items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(source if isinstance(source, bytes) else source.read_bytes())
    except OSError as error:
        raise OutputError(f"Cannot write {folder}: {error.strerror}.") from None


def _inference_code() -> dict[str, Content]:
    return {"inference.py": INFERENCE, "requirements.txt": _requirements(), **_files("*.py", "resources/*.txt")}


def _files(*patterns: str) -> dict[str, Content]:
    """Returns the package's own files: code, and what it reads while it scores; models lie elsewhere."""
    found = [path for pattern in patterns for path in PACKAGE.rglob(pattern)]
    return {path.relative_to(PACKAGE.parent).as_posix(): path for path in found}


def _requirements(*extras: str) -> bytes:
    """Returns what a container must install: what this Crossguard declares, with extras, and not Crossguard itself."""
    lines = set()
    for line in importlib.metadata.requires("crossguard") or []:
        requirement, _, condition = line.partition(";")
        extra = EXTRA.search(condition)
        if not requirement.startswith("crossguard") and (extra is None or extra[1] in extras):
            lines.add(requirement.strip())
    return "".join(f"{line}\n" for line in sorted(lines)).encode()


def _is_served(name: str) -> bool:
    return "/" not in name and name not in LEFT_OUT and any(fnmatch(name, pattern) for pattern in SERVED)


def _copy(bundle: Bundle, names: Iterable[str], folder: Path) -> Bundle:
    """Copies some files of a bundle, with a manifest that lists only those."""
    for name in names:
        shutil.copyfile(bundle.folder / name, folder / name)
    return write_manifest(folder, bundle.manifest.model_dump(mode="json", exclude={"files", "schema_version"}))


def _pack(output: Path, files: Mapping[str, Content], left_out: tuple[str, ...] = ()) -> Packed:
    try:
        _write(output, files)
        digest = sha256(output)
        output.with_name(output.name + ".sha256").write_text(f"{digest}  {output.name}\n", encoding="utf-8")
    except OSError as error:
        raise OutputError(f"Cannot write {error.filename or output}: {error.strerror}.") from None
    return Packed(output, digest, output.stat().st_size, left_out)


def _write(path: Path, files: Mapping[str, Content]) -> None:
    """Writes an archive whose bytes depend on nothing but its files; a reader never sees half of one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    # An empty name and a fixed time: gzip would store both.
    with (
        whole_file(path) as part,
        part.open("wb") as raw,
        gzip.GzipFile(filename="", mode="wb", fileobj=raw, mtime=0) as packed,
        tarfile.open(mode="w", fileobj=packed, format=tarfile.USTAR_FORMAT) as archive,
    ):
        for name in sorted(files):
            _add(archive, name, files[name])


def _add(archive: tarfile.TarFile, name: str, source: Content) -> None:
    entry = tarfile.TarInfo(name)
    entry.mode = 0o644
    if isinstance(source, bytes):
        entry.size = len(source)
        archive.addfile(entry, io.BytesIO(source))
        return
    entry.size = source.stat().st_size
    with source.open("rb") as file:
        archive.addfile(entry, file)
