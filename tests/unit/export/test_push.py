"""What is uploaded, and what a refusal of the Hub says."""

from __future__ import annotations

from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch", reason="uploading belongs to crossguard[train]")

from httpx2 import ReadTimeout
from huggingface_hub import HfApi
from huggingface_hub.errors import HFValidationError

from crossguard.errors import BundleError, OutputError
from crossguard.export.push import LEFT_HOME, push
from crossguard.models.loading import whole_weights


class Hub:
    """Keeps what it is given, or fails."""

    def __init__(self, failure: Exception | None = None) -> None:
        self.failure = failure
        self.created: dict[str, Any] = {}
        self.uploaded: dict[str, Any] = {}

    def create_repo(self, repository: str, **how: Any) -> None:
        """Notes the repository."""
        if self.failure is not None:
            raise self.failure
        self.created[repository] = how

    def upload_folder(self, **what: Any) -> str:
        """Notes the folder."""
        self.uploaded = what
        return f"https://hub/{what['repo_id']}"


@pytest.mark.parametrize("told", ["bundle.json", "config.json"])
def test_what_a_run_keeps_for_itself_stays_here(tmp_path: Path, told: str) -> None:
    (tmp_path / told).write_text("{}")
    hub = Hub()
    assert push(tmp_path, "me/model", private=True, api=hub) == "https://hub/me/model"
    assert hub.created == {"me/model": {"private": True, "exist_ok": True}}
    assert hub.uploaded["folder_path"] == str(tmp_path)
    assert hub.uploaded["ignore_patterns"] == list(LEFT_HOME)


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
