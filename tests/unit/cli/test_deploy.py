from __future__ import annotations

import json
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from crossguard.bundle import Bundle
from crossguard.cli import run
from crossguard.deploy.sagemaker import BatchTransform, Endpoint
from crossguard.deploy.sagemaker.spec import read_spec
from crossguard.errors import ConfigError, OutputError

ENDPOINT = """
kind: endpoint
name: hate
container:
  image: 123456789012.dkr.ecr.eu-central-1.amazonaws.com/crossguard:1.0
  model_data: s3://bucket/model.tar.gz
  role: arn:aws:iam::123456789012:role/crossguard
capacity: {kind: serverless, memory_mb: 3072}
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "endpoint.yaml"
    path.write_text(ENDPOINT)
    return path


@pytest.fixture
def job(tmp_path: Path) -> Path:
    path = tmp_path / "job.yaml"
    text = ENDPOINT.replace("kind: endpoint", "kind: transform").split("capacity")[0]
    path.write_text(text + "input: s3://bucket/in/\noutput: s3://bucket/out/\n")
    return path


def test_a_bundle_becomes_an_archive_and_a_folder_of_code(
    tiny_bundle: Bundle, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    archive, code = tmp_path / "model.tar.gz", tmp_path / "sagemaker"
    arguments = ["deploy", "sagemaker", "package", str(tiny_bundle.folder), "-o", str(archive), "--code", str(code)]
    assert run(arguments) == 0
    told = capsys.readouterr()
    assert told.out == f"{(tmp_path / 'model.tar.gz.sha256').read_text().split()[0]}  {archive}\n"
    assert "MB" in told.err
    with tarfile.open(archive) as tar:
        assert {"bundle.json", "code/inference.py", "code/requirements.txt"} <= set(tar.getnames())
    assert (code / "inference.py").is_file()


@pytest.mark.parametrize("command", ["package", "package-training"])
def test_an_archive_is_replaced_only_when_told_to(tiny_bundle: Bundle, tmp_path: Path, command: str) -> None:
    archive = tmp_path / "model.tar.gz"
    archive.write_bytes(b"mine")
    arguments = ["deploy", "sagemaker", command, *[str(tiny_bundle.folder)] * (command == "package")]
    assert run([*arguments, "-o", str(archive)]) == OutputError.exit_code
    assert archive.read_bytes() == b"mine"
    assert run([*arguments, "-o", str(archive), "--overwrite"]) == 0
    assert tarfile.is_tarfile(archive)


def test_the_source_of_a_training_job_is_packed(tmp_path: Path) -> None:
    assert run(["deploy", "sagemaker", "package-training", "-o", str(tmp_path / "source.tar.gz")]) == 0
    with tarfile.open(tmp_path / "source.tar.gz") as tar:
        names = set(tar.getnames())
    assert {"train.py", "requirements.txt", "crossguard/training/run.py"} <= names
    assert "crossguard/resources/recipes/clip-fusion.yaml" in names


def test_a_dry_run_sends_nothing_and_prints_everything(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["deploy", "sagemaker", "apply", str(file), "--dry-run"]) == 0
    resources = json.loads(capsys.readouterr().out)["Resources"]
    assert list(resources) == ["Model", "Configuration", "Endpoint"]
    (variant,) = resources["Configuration"]["Properties"]["ProductionVariants"]
    assert variant["ServerlessConfig"] == {"MemorySizeInMB": 3072, "MaxConcurrency": 10}


def test_a_dry_run_of_a_job_prints_its_requests(job: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["deploy", "sagemaker", "apply", str(job), "--dry-run"]) == 0
    requests = json.loads(capsys.readouterr().out)
    assert [request["operation"] for request in requests] == ["CreateModel", "CreateTransformJob"]


@pytest.mark.parametrize(("outcome", "hint"), [("created", False), ("unchanged", True)])
def test_an_endpoint_that_stays_as_it_is_says_what_a_new_archive_needs(
    file: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, outcome: str, *, hint: bool
) -> None:
    monkeypatch.setattr(Endpoint, "deploy", lambda _: outcome)
    assert run(["deploy", "sagemaker", "apply", str(file)]) == 0
    told = capsys.readouterr().out
    assert told.startswith(f"hate is {outcome}.")
    assert ("a new archive needs a key of its own" in told) is hint


def test_a_job_is_told_beside_its_results(
    job: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def run_it(job: BatchTransform, *, say: Callable[[str], None]) -> str:
        say("The job runs.")
        return job.output

    monkeypatch.setattr(BatchTransform, "run", run_it)
    assert run(["deploy", "sagemaker", "apply", str(job)]) == 0
    assert tuple(capsys.readouterr()) == ("s3://bucket/out/\n", "The job runs.\n")


@pytest.mark.parametrize("party", ["trust", "execution", "deployer", "caller"])
def test_policies_are_printed(file: Path, party: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["deploy", "sagemaker", "policy", str(file), "--for", party]) == 0
    assert json.loads(capsys.readouterr().out)["Statement"]


def test_a_job_has_no_callers(job: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["deploy", "sagemaker", "policy", str(job), "--for", "caller"]) == ConfigError.exit_code
    assert "Only an endpoint has callers" in capsys.readouterr().err


def test_every_problem_of_a_file_is_told_at_once(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file.write_text(ENDPOINT.replace("s3://bucket", "bucket").replace("memory_mb", "memory").replace("hate", "ha_te"))
    assert run(["deploy", "sagemaker", "apply", str(file), "--dry-run"]) == ConfigError.exit_code
    told = capsys.readouterr().err
    assert all(word in told for word in ("'name'", "container.model_data", "memory"))


def test_kinds_are_suggested(file: Path) -> None:
    assert isinstance(read_spec(file), Endpoint)
    file.write_text("kind: endpont\n")
    with pytest.raises(ConfigError, match="Did you mean 'endpoint'"):
        read_spec(file)
