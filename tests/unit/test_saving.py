from __future__ import annotations

import json
from pathlib import Path

import pytest

from crossguard.errors import OutputError
from crossguard.saving import refuse_existing, save_json, save_text, whole_file


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
    with pytest.raises(OutputError, match=r"old.yaml' is there already. Replace it with --overwrite"):
        refuse_existing(tmp_path / "old.yaml", overwrite=False)
