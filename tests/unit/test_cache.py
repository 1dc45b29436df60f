"""Where remembered things are kept."""

from __future__ import annotations

import pwd
from pathlib import Path
from unittest.mock import Mock

import pytest

import crossguard
from crossguard.bundle import Bundle
from crossguard.cache import cache_folder, keep


@pytest.mark.parametrize(
    ("variables", "folder"),
    [
        ({"CROSSGUARD_CACHE": "/c", "XDG_CACHE_HOME": "/x"}, Path("/c")),
        ({"XDG_CACHE_HOME": "/x"}, Path("/x/crossguard")),
        ({"HOME": "/h"}, Path("/h/.cache/crossguard")),
    ],
)
def test_cache_folder(variables: dict[str, str], folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("CROSSGUARD_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert cache_folder() == folder


def test_a_user_without_a_home_scores_and_keeps_nothing(tiny_bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    """As in containers and services whose user is a mere number."""
    for name in ("CROSSGUARD_CACHE", "XDG_CACHE_HOME", "HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(pwd, "getpwuid", Mock(side_effect=KeyError))
    keep(cache_folder() / "a", b"b")
    assert not cache_folder().exists()
    with crossguard.load(tiny_bundle.folder) as moderator:
        assert moderator.score("hello").status == "scored"
