"""What is uploaded, and what a refusal of the Hub says."""

from __future__ import annotations

import shutil
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch", reason="uploading belongs to crossguard[train]")

from httpx2 import ReadTimeout
from huggingface_hub import HfApi
from huggingface_hub.errors import HFValidationError
from huggingface_hub.utils import filter_repo_objects  # type: ignore[attr-defined]
from tests.support.tiny_bundle import write_tiny_bundle

from crossguard.cli import run
from crossguard.errors import BundleError, OutputError
from crossguard.export.push import LEFT_HOME, push
from crossguard.models.loading import whole_weights


class Hub:
    """Keeps what it is given, or fails."""

    def __init__(self, failure: Exception | None = None) -> None:
        self.failure = failure
        self.created: dict[str, Any] = {}
        self.uploaded: set[str] = set()

    def create_repo(self, repository: str, **how: Any) -> None:
        """Notes the repository."""
        if self.failure is not None:
            raise self.failure
        self.created[repository] = how

    def upload_folder(
        self, repo_id: str, folder_path: str, allow_patterns: list[str] | None, ignore_patterns: list[str]
    ) -> str:
        """Notes which files the real client would send."""
        folder = Path(folder_path)
        names = [path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()]
        chosen = filter_repo_objects(names, allow_patterns=allow_patterns, ignore_patterns=ignore_patterns)
        self.uploaded = {*chosen}
        return f"https://hub/{repo_id}"


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory, tiny_model: Path, annotated_posts: Path) -> Path:
    """A folder with all that `evaluate` and `audit` write."""
    folder = tmp_path_factory.mktemp("results")
    options = ["--model", str(tiny_model), "--rounds", "0", "--no-images", "--out", str(folder)]
    assert run(["evaluate", str(annotated_posts), *options]) == 0
    assert run(["audit", str(annotated_posts), *options]) == 0
    return folder


def test_what_a_run_keeps_for_itself_and_results_with_posts_stay_here(tmp_path: Path, results: Path) -> None:
    for folder in (tmp_path, tmp_path / "runs" / "test"):
        shutil.copytree(results, folder, dirs_exist_ok=True)
    for name in ("config.json", "state.pt", "predictions.npz", "LICENSE"):
        (tmp_path / name).touch()
    hub = Hub()
    assert push(tmp_path, "me/model", private=True, api=hub) == "https://hub/me/model"
    assert hub.created == {"me/model": {"private": True, "exist_ok": True}}
    assert hub.uploaded == {"config.json", "LICENSE", "test_metrics.json", "runs/test/test_metrics.json"}


def test_of_a_bundle_only_what_it_lists_is_uploaded(tmp_path: Path, results: Path) -> None:
    bundle = write_tiny_bundle(tmp_path / "model")
    shutil.copytree(results, bundle.folder / "runs" / "test")
    for name in ("posts.csv", "report.html", "LICENSE"):
        (bundle.folder / name).touch()
    hub = Hub()
    push(bundle.folder, "me/model", api=hub)
    assert hub.uploaded == {*bundle.manifest.files, "bundle.json", "README.md", "LICENSE"}


def test_a_bundle_that_nobody_could_load_is_not_uploaded(tmp_path: Path) -> None:
    bundle, hub = write_tiny_bundle(tmp_path / "model"), Hub()
    (bundle.folder / "text.onnx").write_bytes(b"half")
    with pytest.raises(BundleError, match=r"is corrupted: text\.onnx"):
        push(bundle.folder, "me/model", api=hub)
    assert not hub.created


def test_what_a_killed_run_left_unfinished_stays_here(tmp_path: Path) -> None:
    with whole_weights(tmp_path / "state.pt") as unfinished:
        assert any(fnmatch(unfinished.name, pattern) for pattern in LEFT_HOME)
        unfinished.touch()


def test_a_folder_that_is_no_export_is_not_uploaded(tmp_path: Path) -> None:
    hub = Hub()
    with pytest.raises(BundleError, match="crossguard export"):
        push(tmp_path, "me/model", api=hub)
    assert not hub.created


def test_a_name_that_the_hub_does_not_take_is_told_in_a_line(tiny_model: Path) -> None:
    hub = Hub(HFValidationError("Repo id must be a name\nmore"))
    with pytest.raises(OutputError, match="hf auth login") as refused:
        push(tiny_model, "me/model", api=hub)
    assert "\n" not in str(refused.value)


def test_a_connection_that_breaks_without_a_word_is_told(tiny_model: Path) -> None:
    with pytest.raises(OutputError, match=r"cannot be reached \(ReadTimeout: \)\. Nothing was uploaded"):
        push(tiny_model, "me/model", api=Hub(ReadTimeout("")))


@pytest.mark.parametrize("offline", ["HF_HUB_OFFLINE", "unreachable"])
def test_without_a_network_nothing_is_uploaded_and_said_so(
    offline: str, tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if offline == "unreachable":
        api = HfApi(endpoint="http://127.0.0.1:9", token=False)
    else:
        monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
        api = HfApi(token=False)
    with pytest.raises(OutputError, match=r"cannot be reached.*Nothing was uploaded"):
        push(tiny_model, "me/model", api=api)
