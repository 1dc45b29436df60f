"""The tiny model's folder, a small annotated table, and a narrow terminal."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.support.annotated_posts import SUITE, write_posts

from crossguard.bundle import Bundle


@pytest.fixture(scope="session")
def tiny_model(tiny_bundle: Bundle) -> Path:
    return tiny_bundle.folder


@pytest.fixture(scope="session")
def annotated_posts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_posts(tmp_path_factory.mktemp("posts") / "posts.jsonl")


@pytest.fixture
def suite_file(tmp_path: Path) -> Path:
    path = tmp_path / "suite.csv"
    path.write_text(SUITE, encoding="utf-8")
    return path


@pytest.fixture
def narrow_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """A terminal of 80 columns, as far as rich can tell."""
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "80")
