from __future__ import annotations

import errno
import json
from pathlib import Path

import pytest

from crossguard.errors import OutputError
from crossguard.saving import check_folder_takes, refuse_existing, save_json, save_text, telling_of, whole_file

pytest.importorskip("torch", reason="exports need crossguard[train]")

from crossguard.saving import whole_folder


def test_a_file_is_written_with_the_folders_above_it(tmp_path: Path) -> None:
    save_json(tmp_path / "runs" / "one" / "run.json", {"name": "été", "value": None})
    text = (tmp_path / "runs" / "one" / "run.json").read_text(encoding="utf-8")
    assert "été" in text, "as a person reads it"
    assert text.endswith("\n")
    assert json.loads(text) == {"name": "été", "value": None}


def test_half_characters_do_not_end_a_run(tmp_path: Path) -> None:
    """As in the name of a file that is not UTF-8, which stands in the command of a run."""
    name = b"caf\xe9.csv".decode("utf-8", "surrogateescape")
    save_json(tmp_path / "run.json", {"command": name})
    assert json.loads((tmp_path / "run.json").read_text(encoding="utf-8")) == {"command": name}


def test_numbers_that_json_lacks_are_refused_where_others_read_the_file(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        save_json(tmp_path / "run.json", {"f1": float("nan")}, allow_nan=False)
    assert not (tmp_path / "run.json").exists()


def test_what_cannot_be_written_is_told_with_its_path(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way", encoding="utf-8")
    with pytest.raises(OutputError, match=r"Cannot write '.*file/page.html'"):
        save_text(tmp_path / "file" / "page.html", "...")


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (OSError(errno.ENOSPC, "a long story"), "No space left on device"),
        (OSError("timeout", "no answer"), "[Errno timeout] no answer"),
        (OSError("no answer"), "no answer"),
    ],
)
def test_why_a_file_cannot_be_written_is_told_whatever_number_an_error_has(error: OSError, reason: str) -> None:
    with pytest.raises(OutputError) as told, telling_of(Path("out")):
        raise error
    assert str(told.value) == f"Cannot write 'out': {reason}."


def test_a_link_stays_and_the_file_behind_it_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    (link := tmp_path / "out.bin").symlink_to(Path("disk") / "real.bin")
    for content in ("new", "newer"):
        with whole_file(link) as unfinished:
            unfinished.write_text(content, encoding="utf-8")
        assert link.is_symlink()
        assert (tmp_path / "disk" / "real.bin").read_text(encoding="utf-8") == content
    assert len(list(tmp_path.rglob("*"))) == 3


def test_a_file_appears_only_when_it_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "out.bin"

    def write(content: str, *, interrupted: bool = False) -> None:
        with whole_file(path) as unfinished:
            unfinished.write_text(content, encoding="utf-8")
            if interrupted:
                raise KeyboardInterrupt

    def found() -> dict[str, str]:
        return {file.name: file.read_text(encoding="utf-8") for file in tmp_path.iterdir()}

    write("old")
    with pytest.raises(KeyboardInterrupt):
        write("half", interrupted=True)
    assert found() == {"out.bin": "old"}
    write("new")
    assert found() == {"out.bin": "new"}


def test_a_file_that_is_there_is_replaced_only_on_request(tmp_path: Path) -> None:
    refuse_existing(tmp_path / "new.yaml", overwrite=False)
    (tmp_path / "old.yaml").touch()
    refuse_existing(tmp_path / "old.yaml", overwrite=True)
    with pytest.raises(OutputError, match=r"old.yaml' already exists. Replace it with --overwrite"):
        refuse_existing(tmp_path / "old.yaml", overwrite=False)
    (tmp_path / "link.yaml").symlink_to(tmp_path / "old.yaml")
    refuse_existing(tmp_path / "old.yaml", overwrite=True, inputs=(None, "default", tmp_path / "new.yaml"))
    with pytest.raises(OutputError, match="is an input itself"):
        refuse_existing(tmp_path / "link.yaml", overwrite=True, inputs=(tmp_path / "old.yaml",))


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


def test_a_folder_below_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with (
        pytest.raises(OutputError, match=r"Cannot write '.*file/new': File exists"),
        whole_folder(tmp_path / "file" / "new", "last.json"),
    ):
        pass


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


def test_a_folder_that_is_there_may_be_a_disk_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As a container's volume: no file can be moved there from elsewhere."""
    out, replace = tmp_path / "volume", Path.replace
    out.mkdir()
    (out / "a").write_text("old")

    def on_one_disk(path: Path, target: Path) -> Path:
        if out not in path.parents:
            raise OSError(errno.EXDEV, "Invalid cross-device link")
        return replace(path, target)

    monkeypatch.setattr(Path, "replace", on_one_disk)
    with whole_folder(out, last="a") as draft:
        (draft / "a").write_text("new")
    assert names(tmp_path) == ["volume/a"]
    assert (out / "a").read_text() == "new"


def test_of_two_files_the_one_that_is_kept_stays(tmp_path: Path) -> None:
    (tmp_path / "card").write_text("old")
    with whole_folder(tmp_path, last="a", kept=("card", "b")) as draft:
        for name in ("a", "b", "card"):
            (draft / name).write_text("new")
        (draft / "sub").mkdir()
        (draft / "sub" / "card").write_text("new")
    assert [(tmp_path / name).read_text() for name in ("a", "b", "card", "sub/card")] == ["new", "new", "old", "new"]


def test_a_folder_that_takes_no_file_is_told_before_the_work(tmp_path: Path) -> None:
    check_folder_takes(tmp_path / "new" / "run" / "run.json")
    assert list((tmp_path / "new" / "run").iterdir()) == []
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match=r"Cannot write '.*file/run.json': "):
        check_folder_takes(tmp_path / "file" / "run.json")
