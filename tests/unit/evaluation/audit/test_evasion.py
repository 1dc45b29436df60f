from __future__ import annotations

import subprocess
import sys
import unicodedata
from collections import defaultdict
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crossguard.evaluation.audit.evasion import EVASIONS, evade

SENTENCE = "I really think the purple people should leave our town, friends."
DOCS = Path(__file__).parents[4] / "docs" / "reference" / "evasion.md"


@pytest.mark.parametrize("name", EVASIONS)
def test_every_way_changes_a_sentence_and_repeats_itself(name: str) -> None:
    disguised = evade(SENTENCE, name)
    assert disguised != SENTENCE
    assert disguised == evade(SENTENCE, name)


def test_the_ways_are_many_and_a_third_of_them_are_held_out_by_kind() -> None:
    kinds = defaultdict(set)
    for way in EVASIONS.values():
        kinds[way.kind].add(way.held_out)
    assert len(EVASIONS) >= 59
    assert all(len(held_out) == 1 for held_out in kinds.values())
    assert 0.28 <= sum(way.held_out for way in EVASIONS.values()) / len(EVASIONS) <= 0.4


def test_no_two_ways_do_the_same() -> None:
    assert len({evade(SENTENCE, name) for name in EVASIONS}) == len(EVASIONS)


@settings(max_examples=20, deadline=None)
@given(st.text(max_size=40))
def test_any_text_can_be_disguised(text: str) -> None:
    for name in EVASIONS:
        assert isinstance(evade(text, name), str)


@pytest.mark.parametrize("name", ["bold", "fullwidth", "circled", "monospace", "double_struck", "superscript"])
def test_styled_letters_spell_the_same_words(name: str) -> None:
    assert unicodedata.normalize("NFKC", evade(SENTENCE, name)).lower() == SENTENCE.lower()


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("letters_doubled", "bbaadd dday"),
        ("hyphens", "b-a-d"),
        ("leet_vowels", "b4d"),
        ("joined", "baddayfriend"),
        ("mirrored", "dneirf yad dab"),
        ("zero_width_spaces", "b\u200ba\u200bd"),
        ("love_after", "bad day friend I love you. I love you. I love you. I love you. I love you."),
        ("words_mirrored", "dab yad dneirf"),
        ("stroked", "ƀⱥđ đⱥɏ fɍɨɇnđ"),
        ("spaces_moved", "ba dda yfriend"),
    ],
)
def test_ways_do_what_their_names_say(name: str, expected: str) -> None:
    assert evade("bad day friend", name).startswith(expected.removesuffix(" dday"))


def test_the_same_seed_gives_the_same_disguise_in_another_process() -> None:
    code = f"from crossguard.evaluation.audit.evasion import evade; print(evade({SENTENCE!r}, 'letters_swapped', 3))"
    other = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert other.strip() == evade(SENTENCE, "letters_swapped", 3)
    assert len({evade(SENTENCE, "letters_swapped", seed) for seed in range(5)}) > 1


def test_the_page_describes_every_way() -> None:
    rows = [line for line in DOCS.read_text(encoding="utf-8").splitlines() if line.startswith("| `")]
    assert rows == [
        f"| `{way.name}` | {way.kind} | {way.meaning} | {'yes' if way.held_out else 'no'} |"
        for way in EVASIONS.values()
    ]
