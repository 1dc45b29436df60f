"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path

import click
import pytest
from click.testing import CliRunner
from pydantic import Field

from crossguard.checked_settings import StrictModel, Words
from crossguard.cli.options import (
    PATH,
    Number,
    added,
    policy_file,
    policy_name,
    resampling_options,
    settings_options,
    typed,
)


class Settings(StrictModel):
    """Of a command that is only here."""

    port: int = Field(default=80, description="Port.")
    quiet: bool = Field(default=False, description="Silence.")
    words: Words = Field(default=("a", "b"), description="Words.")


@click.command()
@settings_options(Settings)
def command(config: Path | None, **flags: str | None) -> None:
    click.echo(" ".join([str(config), *(f"{name}={flags[name]}" for name in sorted(flags))]))


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ([], "None port=None quiet=None words=None"),
        (["--quiet", "--port", "3"], "None port=3 quiet=true words=None"),
        (["--quiet", "false", "--config", "s.yaml"], "s.yaml port=None quiet=false words=None"),
    ],
)
def test_each_setting_is_a_flag_and_a_switch_may_stand_alone(given: list[str], said: str) -> None:
    assert said in CliRunner().invoke(command, given).output


def test_help_tells_defaults() -> None:
    text = CliRunner().invoke(command, ["--help"]).output
    assert "Port.  [default: 80]" in text
    assert "Words.  [default: a,b]" in text


def test_options_come_in_the_order_that_they_are_named() -> None:
    @added([click.option("--one"), click.option("--two")])
    def function() -> None: ...

    assert [option.name for option in click.command()(function).params] == ["one", "two"]


def test_a_policy_is_named_after_its_file() -> None:
    assert policy_name(Path("a/my policy (2).yaml")) == "my-policy--2-"


@pytest.mark.parametrize(
    ("least", "option", "fits"),
    [(0, "--rounds=0", True), (0, "--rounds=-1", False), (1, "--rounds=0", False), (0, "--seed=-1", False)],
)
def test_a_number_that_cannot_be_resampled_with_is_refused(least: int, option: str, fits: bool) -> None:
    @click.command()
    @resampling_options(7, least=least)
    def resampling(rounds: int, seed: int) -> None:
        click.echo(f"{rounds} {seed}")

    assert CliRunner().invoke(resampling, []).output == "7 0\n"
    found = CliRunner().invoke(resampling, [option])
    assert (found.exit_code == 0) is fits
    assert fits or "is not in the range" in found.output


@pytest.mark.parametrize(("given", "fits"), [("0.5", True), ("nan", False), ("1.5", False), ("x", False)])
def test_a_number_lies_within_its_bounds(given: str, fits: bool) -> None:
    @click.command()
    @click.option("--share", type=Number(0, 1))
    def shared(share: float) -> None:
        click.echo(share)

    assert (CliRunner().invoke(shared, ["--share", given]).exit_code == 0) is fits


@click.command()
@click.option("--out", type=PATH, callback=policy_file)
def writing(out: Path | None) -> None:
    click.echo(out)


@pytest.mark.parametrize(("given", "would"), [("default", "default.yaml"), ("mine.json", "mine.yaml")])
def test_a_policy_is_not_written_where_no_command_would_read_it(given: str, would: str) -> None:
    ended = CliRunner().invoke(writing, ["--out", given])
    assert ended.exit_code == 2
    assert f"'{given}' for a policy of the model" in " ".join(ended.output.split())
    assert f"-o {would}" in ended.output


def test_a_folder_is_no_policy_file_and_a_file_in_it_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (here := tmp_path / "policies").mkdir()
    monkeypatch.chdir(here)
    assert "Write: -o policies.yaml" in CliRunner().invoke(writing, ["--out", "."]).output
    assert "Write: -o ../policies/policies.yaml" in CliRunner().invoke(writing, ["--out", "../policies"]).output


@pytest.mark.parametrize("given", [[], ["--out", "mine.yml"]])
def test_a_policy_file_has_one_of_two_suffixes(given: list[str]) -> None:
    assert CliRunner().invoke(writing, given).exit_code == 0


@pytest.mark.parametrize(
    ("given", "recorded"),
    [
        (["evaluate", "my posts.csv"], "evaluate 'my posts.csv'"),
        (["review", "--webhook-secret", "hush", "learn"], "review --webhook-secret ... learn"),
        (["review", "--oidc-client-secret=hush", "learn"], "review --oidc-client-secret=... learn"),
        (["review", "--webhook-url", "https://chat/hook/hush", "learn"], "review --webhook-url ... learn"),
        (["review", "--database", "postgresql://me:hu@sh@db/x"], "review --database postgresql://me:...@db/x"),
        (["review", "--database=postgresql://me:hush@db:5432/x"], "review --database=postgresql://me:...@db:5432/x"),
        (["review", "--database", "postgresql://me@db:5432/x"], "review --database postgresql://me@db:5432/x"),
    ],
)
def test_the_recorded_command_holds_no_secret(given: list[str], recorded: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["crossguard", *given])
    assert typed() == f"crossguard {recorded}"
