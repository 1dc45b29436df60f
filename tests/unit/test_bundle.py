from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from tests.support.tiny_bundle import manifest

from crossguard.bundle import Bundle, check_files, read_bundle, write_manifest
from crossguard.errors import BundleError


@pytest.fixture
def copied(tiny_bundle: Bundle, tmp_path: Path) -> Path:
    return Path(shutil.copytree(tiny_bundle.folder, tmp_path / "bundle"))


def edit(folder: Path, **changes: Any) -> None:
    path = folder / "bundle.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def test_what_is_written_is_read_back(tiny_bundle: Bundle) -> None:
    assert read_bundle(tiny_bundle.folder) == tiny_bundle
    assert tiny_bundle.labels.names == ("racist", "sexist", "homophobe", "religion", "otherhate")
    assert tiny_bundle.card().startswith("# tiny")


def test_a_changed_file_is_named(copied: Path) -> None:
    (copied / "image.onnx").write_bytes(b"x")
    with pytest.raises(BundleError, match=r"corrupted: image\.onnx has sha256 .* expected"):
        read_bundle(copied)


def test_a_missing_file_is_named(copied: Path) -> None:
    (copied / "tokenizer.json").unlink()
    assert check_files(read_bundle(copied, verify=False)) == ["tokenizer.json is missing"]


@pytest.mark.parametrize(("version", "remedy"), [(1, "crossguard export"), (3, "pip install -U crossguard")])
def test_another_schema_says_what_to_do(copied: Path, version: int, remedy: str) -> None:
    edit(copied, schema_version=version)
    with pytest.raises(BundleError, match=rf"schema version {version}.*{remedy}"):
        read_bundle(copied)


def test_a_folder_without_manifest_is_not_a_bundle(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="is not a bundle"):
        read_bundle(tmp_path)


@pytest.mark.parametrize("content", ["{", "[1]", "\x00"])
def test_a_broken_manifest_is_a_bundle_error(copied: Path, content: str) -> None:
    (copied / "bundle.json").write_text(content)
    with pytest.raises(BundleError, match=r"bundle\.json"):
        read_bundle(copied)


def test_a_graph_without_checksum_is_refused(copied: Path) -> None:
    files = json.loads((copied / "bundle.json").read_text())["files"]
    edit(copied, files={name: digest for name, digest in files.items() if name != "text.onnx"})
    with pytest.raises(BundleError, match=r"no checksum for: text\.onnx"):
        read_bundle(copied)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"label_schemes": {"any": [0, 1]}}, "label scheme 'any' has 2 columns for 5 labels"),
        ({"policies": {}}, "there is no policy 'default'"),
        ({"labels": [{"name": "racist"}]}, "Unknown label 'sexist'"),
        ({"colour": "red"}, "Unknown key 'colour'"),
    ],
)
def test_an_inconsistent_manifest_is_refused(copied: Path, change: dict[str, Any], told: str) -> None:
    with pytest.raises(BundleError, match=told):
        write_manifest(copied, manifest() | change)
    assert read_bundle(copied).manifest.model.name == "tiny"
