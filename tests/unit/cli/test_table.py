"""Decisions for a terminal: what is masked, what is shown, and what a post cannot do to it."""

from __future__ import annotations

import io
import re
from dataclasses import replace

import pytest
from rich.console import Console
from rich.table import Table
from rich.text import Text
from tests.support.decisions import decision, failed

from crossguard.cli.table import DecisionTable, post_words, print_decision, terminal
from crossguard.records import Action, Decision, LabelDecision, Post

CLEARS = "\x1b[2J\x9b2J\u202e\u2028"
SLUR = "you are an idiot"


def scored(**scores: float) -> Decision:
    labels = {
        name: LabelDecision(score, 0.5, flagged=score >= 0.5, action=Action.BLOCK if score >= 0.5 else Action.ALLOW)
        for name, score in scores.items()
    }
    return replace(decision("7"), labels=labels, action=max((label.action for label in labels.values()), key=str))


def table(post: Post, found: Decision, *, show_text: bool = False, width: int = 120) -> str:
    file = io.StringIO()
    shown = DecisionTable(Console(file=file, width=width), show_text=show_text)
    shown.add(post, found)
    shown.flush()
    shown.flush()  # nothing waits any more
    return file.getvalue()


def alone(post: Post, found: Decision, *, width: int = 120) -> str:
    file = io.StringIO()
    print_decision(post, found, Console(file=file, width=width))
    return file.getvalue()


def test_words_of_flagged_posts_are_masked_unless_asked_for() -> None:
    flagged, harmless = scored(racist=0.9), scored(racist=0.1)
    assert SLUR not in table(Post("7", SLUR), flagged)
    assert SLUR in table(Post("7", SLUR), flagged, show_text=True)
    assert SLUR in table(Post("7", SLUR), harmless)


def test_two_flags_are_named_and_the_others_counted() -> None:
    shown = table(Post("7", "x"), scored(racist=0.6, sexist=0.9, homophobe=0.7, religion=0.2))
    assert "sexist 0.90, homophobe 0.70 +1" in shown


def test_without_a_flag_the_highest_score_is_shown() -> None:
    assert "sexist 0.30" in table(Post("7", "x"), scored(racist=0.1, sexist=0.3))


def test_a_failed_post_says_why_where_its_words_would_be() -> None:
    shown = table(Post("7", SLUR), failed("7", "image_not_found", "No such image."))
    assert "No such image." in shown
    assert "image_not_found" in shown
    assert SLUR not in shown


@pytest.mark.parametrize("text", ["\x1b[2J\x1b[31mred", "a\u202eb", "a\rb"])
def test_nothing_in_a_post_steers_the_terminal(text: str) -> None:
    shown = table(Post(text, text), scored(racist=0.1))
    assert not {"\x1b", "\u202e", "\r"} & set(shown)


@pytest.mark.parametrize("width", [40, 63, 64, 80])
def test_a_table_fits_its_terminal_with_the_action_of_every_post(width: int) -> None:
    found = scored(racist=0.9, otherhate=0.1)
    shown = table(Post("an id of many letters", "word " * 50), found, width=width)
    assert max(map(len, shown.splitlines())) <= width
    assert "block" in shown
    assert "racist 0.90" in shown


@pytest.mark.parametrize("width", [40, 80])
def test_one_decision_fits_its_terminal_with_whole_labels(width: int) -> None:
    shown = alone(Post("7", "x"), scored(homophobe=0.9, otherhate=0.1), width=width)
    assert max(map(len, shown.splitlines())) <= width
    for word in ("homophobe", "0.900", "threshold", "block", "otherhate", "allow"):
        assert word in shown, word


def test_an_image_is_told_with_its_words() -> None:
    assert post_words(Post("1", "a", b"image"), hidden=False) == "a [image]"
    assert post_words(Post("1", image_text="words"), hidden=False) == "[image: words]"
    assert post_words(Post("1", image_text=SLUR), hidden=True) != f"[image: {SLUR}]"


def test_one_decision_shows_every_label_and_its_notes() -> None:
    shown = alone(Post("7", "x"), replace(scored(racist=0.9, sexist=0.1), notes=("text_truncated",)))
    lines = shown.splitlines()
    assert lines[0].split() == ["block", *post_words(Post("7", "x"), hidden=True).split()]
    assert [line.split()[0] for line in lines[1:4]] == ["label", "racist", "sexist"]
    assert "notes: text_truncated" in shown


def test_an_attribute_that_asks_for_the_action_is_its_reason_and_masks_the_words() -> None:
    found = replace(
        scored(racist=0.1), action=Action.BLOCK, attributes={"threat": 0.92, "insult": 0.2}, decided_by=("threat",)
    )
    shown = table(Post("7", SLUR), found)
    assert "threat 0.92" in shown
    assert SLUR not in shown
    one = alone(Post("7", SLUR), found)
    assert re.search(r"threat +0\.920 +block", one)
    assert "insult" not in one
    assert repr(found) == "Decision('7', block: threat 0.92)"


def test_what_a_person_should_look_at_is_masked_without_a_flag() -> None:
    near = replace(scored(racist=0.4), action=Action.REVIEW, decided_by=("racist",))
    assert SLUR not in table(Post("7", SLUR), near)


def test_a_terminal_prints_nothing_that_steers_it_whoever_made_the_table(capsys: pytest.CaptureFixture[str]) -> None:
    made = Table(f"head{CLEARS}", box=None)
    made.add_row(Text(f"[b]cell{CLEARS}"))
    screen = terminal()
    screen.print(made)
    screen.print(Text(f"one\ntwo{CLEARS}"), f"three{CLEARS}")
    assert [line.strip() for line in capsys.readouterr().out.splitlines()] == [
        "head[2J2J", "[b]cell[2J2J", "one", "two[2J2J three[2J2J"
    ]  # fmt: skip


def test_versions_of_a_model_steer_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    print_decision(Post("7", "x"), replace(scored(racist=0.1), policy=f"own{CLEARS}"), terminal())
    assert "policy own[2J2J" in capsys.readouterr().out
