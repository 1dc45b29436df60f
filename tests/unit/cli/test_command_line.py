"""What holds for every command."""

from __future__ import annotations

import io
import sys

import click
import pytest

from crossguard import cli


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
