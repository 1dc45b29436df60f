"""The small annotated table, read once per test: some change it."""

from __future__ import annotations

from pathlib import Path

import pytest

from crossguard.evaluation.annotated import Annotated, read_annotated
from crossguard.labels import HATE


@pytest.fixture
def annotated(annotated_posts: Path) -> Annotated:
    return read_annotated(annotated_posts, HATE.names)
