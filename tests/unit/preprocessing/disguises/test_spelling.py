from __future__ import annotations

import pytest

from crossguard.preprocessing.disguises.lexicon import Lexicon
from crossguard.preprocessing.disguises.spelling import (
    capitals,
    compounds,
    corrected,
    glued,
    misspelt,
    respaced,
    sentences,
)


def test_a_sentence_in_one_word_is_divided(words: Lexicon) -> None:
    assert sentences("goodmorningtoallpeople", words) == "good morning to all people"
    assert sentences("Bruchsalerstrassenbahnfahrer", words) == "Bruchsalerstrassenbahnfahrer"


def test_a_compound_is_divided_where_every_part_is_a_word(words: Lexicon) -> None:
    assert compounds("#StopTheStreet", words) == "#stop the street"
    assert compounds("Kreuzlingenx", words) == "Kreuzlingenx"


def test_a_capital_begins_a_word(words: Lexicon) -> None:
    assert capitals("#MexicansSmellLikeBread", words) == "#Mexicans Smell Like Bread"
    assert capitals("see #KILLLionsAndBearsWithZwingliToday", words) == "see #KILL Lions And Bears With Zwingli Today"
    assert capitals("#GasTheRoom", words) == "#Gas The Room"  # without a space, shorter ones lack theirs, too
    assert capitals("Where'sTheBreadThatIsn\u2019tGood", words) == "Where's The Bread That Isn\u2019t Good"


@pytest.mark.parametrize(
    "text",
    [
        "my JavaScript on YouTube",
        "see oThermOrningPeople",
        "InternationaL iNternational",
        "a MacGuffinQuux",
        "O'Brien's",
    ],
)
def test_a_capital_without_words_around_it_begins_none(words: Lexicon, text: str) -> None:
    assert capitals(text, words) == text


def test_spaces_are_moved_where_most_words_are_none(words: Lexicon) -> None:
    assert respaced("go odmo rni ngt oallp eop le", words) == "good morning to all people"
    assert respaced("good morning to all people", words) == "good morning to all people"


def test_only_an_unknown_long_word_may_be_several(words: Lexicon) -> None:
    assert glued("goodmorning", words) is False
    assert glued("goodmorningall", words) is True
    assert glued("international", words) is False


def test_words_are_corrected_where_most_are_misspelt(words: Lexicon) -> None:
    assert corrected("goood mornign daer freinds", words) == "good morning dear friends"
    assert corrected("the freinds of Schwarzeneger", words) == "the freinds of Schwarzeneger"
    assert corrected("freindly peolpe", words) == "friendly people"


def test_one_error_or_a_name_is_no_pattern(words: Lexicon) -> None:
    assert not misspelt("my freind likes bread", words)
    assert not misspelt("then Xanthippe Zwingli Quetzalco met", words)
    assert misspelt("freindly peolpe", words)
