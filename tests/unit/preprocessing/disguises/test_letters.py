from __future__ import annotations

import pytest

from crossguard.preprocessing.disguises.letters import SHAPES, UNSURE, forward, latin, once, unstyled, upright
from crossguard.preprocessing.disguises.lexicon import Lexicon

RUSSIAN = "\u0434\u043e\u0431\u0440\u044b\u0439 \u0434\u0435\u043d\u044c"


def test_repeated_letters_are_written_once_where_that_makes_a_word(words: Lexicon) -> None:
    assert once("sooo goood, the baalll", words) == "so good, the ball"
    assert once("a tall book", words) == "a tall book"
    assert once("ggoooodd bbooookk", words) == "good book"


def test_letters_of_two_words_are_no_run(words: Lexicon) -> None:
    assert once("#allladies, #womensmelllikebread", words) == "#allladies, #womensmelllikebread"
    assert once("calllions", words) == "calllions"
    assert once("hatefulllll heyaaa reproducibleee", words) == "hateful heya reproducible"


def test_a_mirrored_text_is_turned_and_a_palindrome_stays(words: Lexicon) -> None:
    assert forward("gninrom doog", words) == "good morning"
    assert forward("doog gninrom!", words) == "good morning!"
    assert forward("never odd or even", words) == "never odd or even"


def test_letters_of_two_scripts_in_one_word_are_read_as_one(words: Lexicon) -> None:
    assert latin("g\u043e\u043ed morning", words) == "good morning"
    assert latin(RUSSIAN, words) == RUSSIAN


def test_a_cyrillic_letter_is_read_by_its_shape_before_its_sound() -> None:
    words = Lexicon({"soon": 1, "coon": 2, "sit": 3, "are": 4, "ape": 5})
    assert latin("\u0441\u043e\u043en", words) == "coon"
    assert latin("\u0441it", words) == "sit"
    assert latin("\u03b1\u03c1\u03b5", words) == "are"  # a Greek one looks like two


@pytest.mark.parametrize("sign", ["\u262a", "\u262a\ufe0f!", "\u271d"])
def test_a_sign_of_a_faith_is_no_letter_alone(words: Lexicon, sign: str) -> None:
    assert latin(f"good morning {sign}", words) == f"good morning {sign}"
    assert latin("morni\u262a", words) == "mornic"


@pytest.mark.parametrize(
    "text",
    [
        "\u0928\u092e\u0938\u094d\u0924\u0947",
        "\u0e2a\u0e27\u0e31\u0e2a\u0e14\u0e35",
        "\u0645\u064e\u0631\u0652\u062d\u064e\u0628\u064b\u0627",
    ],
)
def test_another_script_keeps_its_marks(words: Lexicon, text: str) -> None:
    assert latin(text, words) == text
    assert latin(f"good morning, {text}", words) == f"good morning, {text}"
    assert latin("g\u0e31o\u0336o\u0301d 1\u03364\u0336", words) == "good 14"


def test_a_text_upside_down_is_turned(words: Lexicon) -> None:
    assert upright("\u0183u\u1d09u\u0279o\u026f poo\u0183", words) == "good morning"
    assert upright("\u0259 is a phonetic sign", words) == "\u0259 is a phonetic sign"


def test_no_letter_stands_for_two() -> None:
    looks = [look for looks in SHAPES.values() for look in looks]
    assert len(looks) == len(set(looks))
    assert not set(looks) & set(UNSURE)


def test_styled_letters_are_told_by_their_names() -> None:
    assert unstyled("\u1d00\U0001f171\u24d2\U0001d41d\u0247\u0192") == "aBcdef"
