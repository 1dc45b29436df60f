from __future__ import annotations

import os
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import httpx2
import pytest

from crossguard.bundle import Bundle
from crossguard.errors import BundleError, ConfigError
from crossguard.loading import load
from crossguard.moderator import Moderator
from crossguard.registry import CARD_CONFIG, find, holds_checkpoint


def test_a_folder_is_found(tiny_bundle: Bundle) -> None:
    assert find(str(tiny_bundle.folder)) == tiny_bundle.folder


def test_a_folder_is_the_same_from_another_working_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "run" / "checkpoint-5").mkdir(parents=True)
    (tmp_path / "run" / CARD_CONFIG).write_text("{}", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    assert find("run") == tmp_path / "run"
    monkeypatch.chdir(tmp_path / "run" / "checkpoint-5")
    assert holds_checkpoint(find("."))


def test_a_revision_of_what_is_no_repository_is_refused(tiny_bundle: Bundle) -> None:
    for model in ("compact", tiny_bundle.folder):
        with pytest.raises(ConfigError, match=r"A revision .* Hub repository, .* is in a folder"):
            find(model, revision="v1")


def test_an_unknown_name_is_answered_with_what_would_work() -> None:
    with pytest.raises(BundleError, match=r"Unknown model 'kompact'.*Hub id"):
        find("kompact")
    for name in ("./compact", "../no/where", "~nobody-of-that-name/model", "x" * 300):
        with pytest.raises(BundleError, match="Unknown model"):
            find(name)


@pytest.mark.parametrize("name", [None, 3, b"compact", ["compact"]])
def test_what_is_no_name_is_refused_with_what_is_one(name: Any) -> None:
    for open_ in (load, Moderator.load):
        with pytest.raises(ConfigError, match=rf"a name such as 'compact', .*, not {type(name).__name__}\."):
            open_(name)


def test_a_hub_id_is_downloaded(monkeypatch: pytest.MonkeyPatch, tiny_bundle: Bundle) -> None:
    asked: list[tuple[str, str | None]] = []

    def snapshot_download(repository: str, revision: str | None = None) -> str:
        asked.append((repository, revision))
        return str(tiny_bundle.folder)

    monkeypatch.setattr("huggingface_hub.snapshot_download", snapshot_download)
    assert find("someone/some-model", revision="v1") == tiny_bundle.folder
    assert asked == [("someone/some-model", "v1")]


def test_without_a_network_the_error_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(BundleError, match="neither a folder nor reachable"):
        find("someone/not-there")
    with pytest.raises(BundleError, match="neither a folder nor reachable"):
        find("someone/no..name")


@pytest.mark.parametrize("error", [httpx2.ProxyError("403 Forbidden"), httpx2.ReadTimeout("")])
def test_a_connection_that_breaks_is_told(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    def broken(*_: object, **__: object) -> str:
        raise error

    monkeypatch.setattr("huggingface_hub.snapshot_download", broken)
    with pytest.raises(BundleError, match=f"nor reachable on the Hugging Face Hub .{type(error).__name__}"):
        find("someone/some-model")


def test_a_checkpoint_is_opened_by_load_and_not_by_the_class(tmp_path: Path, tiny_bundle: Bundle) -> None:
    (tmp_path / CARD_CONFIG).write_text("{}", encoding="utf-8")
    assert holds_checkpoint(tmp_path)
    assert not holds_checkpoint(tiny_bundle.folder)
    with pytest.raises(BundleError, match=r"PyTorch checkpoint and no bundle.*crossguard\.load"):
        Moderator.load(tmp_path)
    with pytest.raises(BundleError, match=r"no bundle\.json, and no weights"):
        load(tmp_path)


def test_an_empty_name_is_not_the_working_folder() -> None:
    """As that of a shell variable without a value is."""
    with pytest.raises(BundleError, match="Unknown model ''"):
        find("")


def test_a_folder_that_this_process_may_not_look_into_is_not_called_unknown(
    tiny_bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    def closed(path: Path, **how: bool) -> os.stat_result:
        if path == tiny_bundle.folder:
            raise PermissionError(13, "Permission denied", str(path))
        return os.stat(path, **how)  # noqa: PTH116 - what is replaced

    monkeypatch.setattr(Path, "stat", closed)
    with pytest.raises(BundleError, match=r"Cannot read the model '.*': Permission denied\.$"):
        find(tiny_bundle.folder)


def test_a_hub_id_is_one_from_a_closed_working_folder_too(
    tiny_bundle: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def closed(path: Path, **how: bool) -> os.stat_result:
        if path == tmp_path / "a" / "b":
            raise PermissionError(13, "Permission denied", str(path))
        return os.stat(path, **how)  # noqa: PTH116 - what is replaced

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(Path, "stat", closed)
    monkeypatch.setattr("huggingface_hub.snapshot_download", Mock(return_value=str(tiny_bundle.folder)))
    assert find("a/b") == tiny_bundle.folder
