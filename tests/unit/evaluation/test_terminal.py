"""Tables that are as wide as the terminal, and lose nothing."""

from __future__ import annotations

import io

import click
from rich.console import Console

from crossguard.evaluation.estimates import Estimate
from crossguard.evaluation.terminal import Grid, cell, show_line

COLUMNS = ("name", *(f"column {letter}" for letter in "abcdefgh"))


def shown(grid: Grid, *, width: int, terminal: bool) -> list[str]:
    console = Console(file=io.StringIO(), width=width, force_terminal=terminal, no_color=True, highlight=False)
    grid.show(console)
    text: str = console.file.getvalue()  # type: ignore[attr-defined]  # a StringIO
    return click.unstyle(text).splitlines()


def grid(name: str = "a row") -> Grid:
    made = Grid("Title", COLUMNS, "Caption")
    made.row(name, *(f"0.{number}00" for number in range(8)))
    return made


def test_a_narrow_terminal_gets_parts_that_each_name_the_rows() -> None:
    lines = shown(grid(), width=40, terminal=True)
    assert max(map(len, lines)) <= 40
    assert sum("a row" in line for line in lines) == sum("name" in line for line in lines) == 3
    assert all(any(column in line for line in lines) for column in COLUMNS)
    assert all(any(f"0.{number}00" in line for line in lines) for number in range(8))


def test_a_pipe_gets_one_line_per_row_however_long() -> None:
    (row,) = [line for line in shown(grid("n" * 120), width=80, terminal=False) if "n" * 120 in line]
    assert row.split()[1:] == [f"0.{number}00" for number in range(8)]


def test_a_name_longer_than_half_the_width_is_folded_and_not_cut() -> None:
    lines = shown(grid("x" * 50), width=60, terminal=True)
    parts = sum("name" in line for line in lines)
    assert max(map(len, lines)) <= 60
    assert sum(line.count("x") for line in lines) == parts * 50


def test_a_cell_has_its_interval_below_and_says_what_is_undefined() -> None:
    assert cell(None).plain == ""
    assert cell(Estimate(0.5)).plain == "0.500"
    assert cell(Estimate(0.5, 0.25, 1.0)).plain == "0.500\n.250\N{EN DASH}1.00"
    assert cell(Estimate.undefined("no positive post")).plain == "undefined"


def test_names_are_neither_markup_nor_steer_the_terminal() -> None:
    made = Grid("posts[final].csv", ("[/x] group", "a [b]\nc"))
    made.row("[/INST]\x1b[2J", "1")
    console = Console(file=io.StringIO(), width=80, force_terminal=True, no_color=True, highlight=False)
    made.show(console)
    show_line("Note: '[/b]' of \x1b[2Jposts[final].csv", console, "yellow")
    text: str = console.file.getvalue()  # type: ignore[attr-defined]  # a StringIO
    assert "\x1b[2J" not in text
    for part in ("posts[final].csv", "[/x] group", "a [b]", "[/INST] [2J", "Note: '[/b]' of [2Jposts[final].csv"):
        assert part in text
