"""A tiny model and a small annotated table, made once."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.support.annotated_posts import write_posts
from tests.support.tiny_bundle import write_tiny_bundle

from crossguard.moderator import Moderator


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("evaluated") / "tiny"
    write_tiny_bundle(folder)
    return folder


@pytest.fixture(scope="session")
def tiny(tiny_model: Path) -> Moderator:
    return Moderator.load(tiny_model)


@pytest.fixture(scope="session")
def annotated_posts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_posts(tmp_path_factory.mktemp("posts") / "posts.jsonl")
