"""Where remembered things are kept."""

from __future__ import annotations

import os
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
        ({"CROSSGUARD_CACHE": "~/c", "HOME": "/h"}, Path("/h/c")),
        ({"CROSSGUARD_CACHE": "~nobody-has-this-name/c"}, Path(os.devnull, "crossguard")),
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


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
def test_what_is_kept_is_for_one_user_alone(umask: int, tmp_path: Path) -> None:
    before = os.umask(umask)
    try:
        keep(tmp_path / "ocr" / "words.txt", b"words of an image")
    finally:
        os.umask(before)
    assert (tmp_path / "ocr" / "words.txt").read_bytes() == b"words of an image"
    modes = [oct(path.stat().st_mode & 0o777) for path in (tmp_path / "ocr", *(tmp_path / "ocr").iterdir())]
    assert modes == ["0o700", "0o600"]
