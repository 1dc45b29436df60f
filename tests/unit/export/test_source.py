"""What an export reads of a checkpoint."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("torch", reason="checkpoints belong to crossguard[train]")

from crossguard.errors import BundleError
from crossguard.export.source import open_checkpoint, public_name


@pytest.mark.parametrize(
    ("name", "public"),
    [("openai/clip-vit-base-patch32", "openai/clip-vit-base-patch32"), ("./here", "here"), ("~/models/mine", "mine")],
)
def test_an_encoder_is_named_without_the_folders_of_this_machine(name: str, public: str) -> None:
    assert public_name(name) == public


def test_a_folder_that_is_here_is_an_encoder_of_this_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "team" / "clip").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    assert [public_name("team/clip"), public_name("other/clip")] == ["clip", "other/clip"]


def test_a_folder_without_weights_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=r"model\.safetensors"):
        open_checkpoint(tmp_path)
