"""What holds for every command."""

from __future__ import annotations

import errno
import io
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from unittest.mock import Mock

import click
import pytest

from crossguard import cli
from crossguard.errors import InputError, OutputError

# What Python ends with where stdout cannot be written at its end.
FLUSHING_FAILED = 120
AT_EXIT = "import atexit, sys; atexit.register(print, 'at exit'); from crossguard.cli import end, until_exit; "


def contexts(command: click.Command, parent: click.Context | None, name: str) -> Iterator[click.Context]:
    """Yields the context of a command, and of each command below it."""
    context = click.Context(command, info_name=name, parent=parent, terminal_width=80)
    yield context
    if isinstance(command, click.Group):
        for child in command.list_commands(context):
            found = command.get_command(context, child)
            assert found is not None
            yield from contexts(found, context, child)


def test_where_to_write_is_spelt_in_one_way_by_all_commands() -> None:
    options = [option for context in contexts(cli.root, None, "crossguard") for option in context.command.params]
    found = [option for option in options if {"-o", "--out", "--output"} & {*option.opts}]
    assert len(found) > 10
    assert {(option.name, *option.opts) for option in found} == {("out", "-o", "--out", "--output")}


@click.command()
def said() -> None:
    click.echo("a bar \N{FULL BLOCK} and \N{GRINNING FACE}")
    click.echo("\udce9.csv", err=True)


def test_a_character_that_the_terminal_lacks_does_not_end_a_command(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a pipe of Windows, which is cp1252."""
    streams = {name: io.TextIOWrapper(io.BytesIO(), "cp1252") for name in ("stdout", "stderr")}
    for name, stream in streams.items():
        monkeypatch.setattr(sys, name, stream)
    monkeypatch.setattr(cli, "root", said)
    with pytest.raises(SystemExit) as ended:
        cli.main([])
    assert ended.value.code == 0
    for stream in streams.values():
        stream.flush()
    assert streams["stdout"].buffer.getvalue().split() == [b"a", b"bar", b"?", b"and", b"?"]
    assert streams["stderr"].buffer.getvalue().strip() == b"?.csv"


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (
            OSError(errno.EROFS, "Read-only file system", "t.parquet"),
            "Cannot read or write 't.parquet': Read-only file",
        ),
        (OSError(errno.ENOSPC, "No space left on device"), "Error: No space left on device."),
    ],
)
def test_what_a_disk_refuses_is_one_line(
    error: OSError, said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(cli, "root", click.Command("root", callback=Mock(side_effect=error)))
    assert cli.run([]) == OutputError.exit_code
    assert said in capsys.readouterr().err


def test_what_an_error_repeats_cannot_steer_the_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    error = InputError("2 problems\n  - column 'te\x1b[2J\r\u202ext'\n  - title '\x1b]0;x\x07'")
    monkeypatch.setattr(cli, "root", click.Command("root", callback=Mock(side_effect=error)))
    assert cli.run([]) != 0
    assert capsys.readouterr().err == "Error: 2 problems\n  - column 'te [2J xt'\n  - title ' ]0;x '\n"
    monkeypatch.undo()
    for args in (["a \x1b[2Jtext"], ["score", "a \x1b[2Jtext"]):
        assert cli.run(args) == 2
        told = capsys.readouterr().err
        assert "--text 'a [2Jtext'" in told
        assert "\x1b" not in told
    assert cli.run(["report", "a.csv", "a\x9b2J.csv"]) == 2
    assert capsys.readouterr().err.endswith("\n\nError: Got unexpected extra argument (a 2J.csv)\n")


def test_a_header_cannot_steer_the_terminal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "in.csv").write_text("id,te\x1b[2Jxx\x1b]0;title\x07\n1,a\n")
    assert cli.run(["score", str(tmp_path / "in.csv")]) == 3
    told = capsys.readouterr().err
    assert "It has: id, te [2Jxx ]0;title" in told
    assert not set("\x1b\x07") & set(told)


def test_other_errors_of_the_system_are_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cli, "root", click.Command("root", callback=Mock(side_effect=TimeoutError("late"))))
    with pytest.raises(TimeoutError):
        cli.run([])


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("it's what", "To score a text: crossguard score --text 'it'\\''s what'"),
        ("what the f*** man", "To score a text: crossguard score --text 'what the f*** man'"),
        ("my posts.csv", "All commands: crossguard --help. To score a file: crossguard score FILE"),
        ("a text " * 60, "To score a text: crossguard score --text 'a text a text"),
        ("hello", "To score a text: crossguard score --text 'hello'"),
        ("scroe", "Did you mean 'crossguard score'?"),
    ],
)
def test_what_is_no_command_gets_the_one_that_scores_it(
    name: str, hint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.run([name]) == 2
    told = capsys.readouterr().err
    assert hint in told
    assert len(told) < 400


@pytest.mark.parametrize("name", ["stdout", "stderr"])
def test_a_closed_stream_takes_what_is_written(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, name, None)
    monkeypatch.setattr(cli, "root", said)
    with pytest.raises(SystemExit) as ended:
        cli.main([])
    assert ended.value.code == 0
    assert not getattr(sys, name).isatty(), "as every command asks that writes"


@pytest.mark.skipif(os.name != "posix", reason="a shell of POSIX closes the stream")
def test_a_command_runs_with_its_output_closed() -> None:
    command = 'echo hello | "$0" -m crossguard score - --input-format txt --quiet >&-'
    found = subprocess.run(["/bin/sh", "-c", command, sys.executable], capture_output=True, check=False)
    assert (found.returncode, found.stderr) == (0, b"")


@pytest.mark.parametrize("name", cli.COMMANDS)
def test_help_fits_a_terminal_and_cuts_no_summary(name: str) -> None:
    root = click.Context(cli.root, info_name="crossguard")
    command = cli.root.get_command(root, name)
    assert command is not None
    for context in contexts(command, root, name):
        path, told = context.command_path, context.get_help()
        _, *lines = told.splitlines()
        assert [line for line in lines if len(line) > 80] == [], path
        assert [line for line in lines if line.startswith("  ") and line.endswith("...")] == [], path
        assert "docs/" not in told, "a wheel has none"


@pytest.mark.parametrize("typed", ["--policy benchmark evaluate posts.csv", "--text report"])
def test_an_option_in_the_wrong_place_gets_an_example(typed: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(typed.split()) == 2
    assert "Options follow their command, such as: crossguard score" in capsys.readouterr().err


def ended(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", AT_EXIT + code], capture_output=True, text=True, check=False)


def test_with_a_model_the_process_ends_at_once_and_what_it_said_is_written() -> None:
    found = ended("until_exit(object()); print('said'); print('told', file=sys.stderr); end(3)")
    assert (found.returncode, found.stdout, found.stderr) == (3, "said\n", "told\n")


def test_without_one_it_ends_as_ever() -> None:
    found = ended("print('said'); end(3)")
    assert (found.returncode, found.stdout) == (3, "said\nat exit\n")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
def test_what_cannot_be_written_is_left_to_the_interpreter(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PYTHONUNBUFFERED", raising=False)
    code = AT_EXIT + "until_exit(object()); print('said'); end(0)"
    with Path("/dev/full").open("w", encoding="utf-8") as full:
        found = subprocess.run([sys.executable, "-c", code], stdout=full, stderr=subprocess.PIPE, check=False)
    assert found.returncode == FLUSHING_FAILED
    assert b"No space left" in found.stderr


def test_only_the_last_model_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cli, "_kept", [])
    cli.until_exit("first")
    cli.until_exit("second")
    assert cli._kept == ["second"]
