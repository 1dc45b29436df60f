from __future__ import annotations

import pytest

from crossguard.preprocessing.disguises.lexicon import Lexicon
from crossguard.preprocessing.disguises.starred import starred


@pytest.fixture(scope="module")
def hiding() -> Lexicon:
    """Returns words of which `idiot` and its like are often hidden, the likelier ones first."""
    return Lexicon(
        {"friendly": 1, "people": 2, "hall": 3, "edit": 4, "ideal": 5}, (), ("idiot", "hell", "idiots", "help")
    )


@pytest.mark.parametrize("written", ["i***t", "id**t", "i----s", "i****", "id***", "idi**s"])
def test_each_sign_stands_for_a_letter_of_a_word_that_is_often_hidden(hiding: Lexicon, written: str) -> None:
    assert starred(f"You {written}!", hiding) == f"You {'idiots' if written.endswith('s') else 'idiot'}!"


def test_a_word_that_is_often_hidden_goes_before_others(hiding: Lexicon) -> None:
    assert starred("go to h*ll", hiding) == "go to hell"
    assert starred("he**", hiding) == "hell"


def test_one_letter_of_any_word_is_found(hiding: Lexicon) -> None:
    assert starred("fr*endly pe#ple", hiding) == "friendly people"


@pytest.mark.parametrize(
    "written",
    [
        "he--",
        "i____",
        "id-- --",
        "a_b is x*y",
        "well--known",
        "read it** below",
        "x**y",
        "f(x)",
        "-- * --",
        "i**",
        "peo*ple",
    ],
)
def test_signs_that_hide_no_letter_stay(hiding: Lexicon, written: str) -> None:
    assert starred(written, hiding) == written
