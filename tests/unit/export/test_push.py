"""What is uploaded, and what a refusal of the Hub says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch", reason="uploading belongs to crossguard[train]")

from huggingface_hub.errors import HFValidationError

from crossguard.errors import BundleError, OutputError
from crossguard.export.push import push


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


def test_what_a_run_keeps_for_itself_stays_here(tiny_model: Path) -> None:
    hub = Hub()
    assert push(tiny_model, "me/model", private=True, api=hub) == "https://hub/me/model"
    assert hub.created == {"me/model": {"private": True, "exist_ok": True}}
    assert hub.uploaded["folder_path"] == str(tiny_model)
    assert {"state.pt", "predictions.npz", "log.jsonl"} <= set(hub.uploaded["ignore_patterns"])


def test_a_folder_that_is_no_export_is_not_uploaded(tmp_path: Path) -> None:
    hub = Hub()
    with pytest.raises(BundleError, match="crossguard export"):
        push(tmp_path, "me/model", api=hub)
    assert not hub.created


@pytest.mark.parametrize(
    ("failure", "told"),
    [
        (HFValidationError("Repo id must be a name\nmore"), "hf auth login"),
        (OSError("Name or service not known"), "Nothing was uploaded"),
    ],
)
def test_a_failure_is_told_in_a_line(tiny_model: Path, failure: Exception, told: str) -> None:
    with pytest.raises(OutputError, match=told) as refused:
        push(tiny_model, "me/model", api=Hub(failure))
    assert "\n" not in str(refused.value)
