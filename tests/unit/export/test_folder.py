"""A folder is written whole or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("torch", reason="exports need crossguard[train]")

from crossguard.export.folder import whole_folder


def names(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def fail_halfway(out: Path) -> None:
    with whole_folder(out, last="a") as draft:
        (draft / "a").write_text("half")
        raise ValueError("broken")


def test_a_new_folder_appears_when_it_is_whole(tmp_path: Path) -> None:
    with whole_folder(tmp_path / "deep" / "out", last="b") as draft:
        (draft / "b").write_text("b")
        assert not (tmp_path / "deep" / "out").exists()
    assert names(tmp_path) == ["deep/out/b"]


def test_an_error_leaves_nothing_behind_and_the_old_files_as_they_were(tmp_path: Path) -> None:
    (tmp_path / "old").mkdir()
    (tmp_path / "old" / "a").write_text("old")
    for out in (tmp_path / "new", tmp_path / "old"):
        with pytest.raises(ValueError, match="broken"):
            fail_halfway(out)
    assert names(tmp_path) == ["old/a"]
    assert (tmp_path / "old" / "a").read_text() == "old"


def test_files_are_replaced_and_others_stay(tmp_path: Path) -> None:
    for name in ("kept", "a"):
        (tmp_path / name).write_text("old")
    with whole_folder(tmp_path, last="a") as draft:
        (draft / "a").write_text("new")
        (draft / "sub").mkdir()
        (draft / "sub" / "c").write_text("new")
    assert names(tmp_path) == ["a", "kept", "sub/c"]
    assert [(tmp_path / name).read_text() for name in ("a", "kept")] == ["new", "old"]
