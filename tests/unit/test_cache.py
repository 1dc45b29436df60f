"""Where remembered things are kept."""

from __future__ import annotations

from pathlib import Path

import pytest

from crossguard.cache import cache_folder


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
