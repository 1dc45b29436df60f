from __future__ import annotations

from itertools import product
from string import ascii_lowercase

import pytest

from crossguard.preprocessing.disguises.lexicon import Lexicon
from crossguard.preprocessing.disguises.signs import hides_another, joined, spelt, starred, without_signs


def test_letters_set_apart_are_joined_and_an_abbreviation_stays(words: Lexicon) -> None:
    assert joined("g.o.o.d m.o.r.n.i.n.g", words) == "good morning"
    assert joined("g o o d m o r n i n g", words) == "good morning"
    assert joined("g  o  o  d   m\u201d\u201co\u201d\u201cr..n--i__n++g", words) == "good   morning"
    assert joined("the U.S. at 5 p.m.", words) == "the U.S. at 5 p.m."


@pytest.mark.parametrize("gap", [" - ", ". ", ", ", " \u2022 ", " \U0001f44f ", "... ", " /"])
def test_letters_with_one_sign_and_spaces_between_are_joined_where_they_are_a_word(words: Lexicon, gap: str) -> None:
    assert joined(f"{gap.join('good')}{gap}morning", words) == f"good{gap}morning"
    assert joined(gap.join("abcde"), words) == gap.join("abcde")


@pytest.mark.parametrize("text", ["J. R. R. Tolkien", "G. o, o. d", "F. A. Q.", "a. good morning"])
def test_initials_and_letters_between_other_signs_stay_apart(words: Lexicon, text: str) -> None:
    assert joined(text, words) == text


def test_few_letters_that_make_no_words_are_chords(words: Lexicon) -> None:
    assert joined("Verse: F B G C, bridge: D B G", words) == "Verse: F B G C, bridge: D B G"
    assert joined("we a r e here", words) == "we are here"


def test_a_colour_is_no_word(words: Lexicon) -> None:
    assert spelt("#C0FFEE #BADA55 #FA9 and #F00", words) == "#C0FFEE #BADA55 #FA9 and #F00"
    assert spelt("#c0ffee0 g00d", words) == "#c0ffee0 good"


def test_signs_leave_words_and_compounds_stay(words: Lexicon) -> None:
    assert without_signs("go*od mor-ning", words) == "good morning"
    assert without_signs("sister-in-law and/or f(x)", words) == "sister-in-law and/or f(x)"


@pytest.mark.parametrize("sign", ["|", "!", ",", ";", "/", "+"])
def test_a_sign_between_words_is_no_letter(words: Lexicon, sign: str) -> None:
    tags = sign.join(("jewish", "music", "museum", "xqzjk"))
    assert spelt(tags, words) == without_signs(tags, words) == tags
    assert spelt(f"good morning{sign}Have a good day", words) == f"good morning{sign}Have a good day"
    sentence = sign.join(("we", "eat", "bread", "and", "drink"))
    assert without_signs(spelt(sentence, words), words) == "we eat bread and drink"


def test_a_sign_in_a_word_is_a_letter(words: Lexicon) -> None:
    assert spelt("al| the w!nd qu|tzj!m", words) == "all the wind qultzjim"
    assert spelt("the bread!good!n and bread@good", words) == "the breadigoodin and breadagood"


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("g00d m0rn1ng", "good morning"),
        ("meet at 10 for $15", "meet at 10 for $15"),
        ("the 2nd h2o mp3", "the 2nd h2o mp3"),
        ("c4ll m3 t0n1ght b3f0r3 10 0r 88", "call me tonight before 10 or 88"),
        ("w3 411 g0 70 dr34m l4nd", "we all go to dream land"),
        ("(all of us) dr34m (ou1d", "(all of us) dream could"),
        ("\u201cg00d m0rn1ng\u201d", "\u201cgood morning\u201d"),
        ("\u2018g00d\u2019 \u00abm0rn1ng\u00bb\u2026", "\u2018good\u2019 \u00abmorning\u00bb\u2026"),
        ("#g00d [m0rn1ng]", "#good [morning]"),
        ("w3 411 g0 dr34m l4nd #1", "we all go dream land #1"),
        (
            "We're #1! \u201cR2-D2\u201d #F1 #G20 #StandUp4Bread \u201c80s\u201d music\u2026",
            "We're #1! \u201cR2-D2\u201d #F1 #G20 #StandUp4Bread \u201c80s\u201d music\u2026",
        ),
    ],
)
def test_digits_are_read_as_letters_where_they_make_words(words: Lexicon, written: str, said: str) -> None:
    assert spelt(written, words) == said


@pytest.fixture(scope="module")
def hiding() -> Lexicon:
    """Returns words of which `idiot` and its like are often hidden, the likelier ones first."""
    return Lexicon(
        {"friendly": 1, "people": 2, "hall": 3, "edit": 4, "ideal": 5}, (), ("idiot", "hell", "idiots", "help")
    )


@pytest.mark.parametrize("written", ["i***t", "id**t", "i----s", "i****", "id***", "idi**s"])
def test_each_sign_stands_for_a_letter_of_a_word_that_is_often_hidden(hiding: Lexicon, written: str) -> None:
    assert starred(f"You {written}!", hiding) == f"You {'idiots' if written.endswith('s') else 'idiot'}!"


@pytest.mark.parametrize("title", ["Mr.", "Mrs", "Miss", "Prof."])
def test_the_name_behind_a_title_is_no_hidden_word(hiding: Lexicon, title: str) -> None:
    assert starred(f"our {title} I**** is kind", hiding) == f"our {title} I**** is kind"
    assert starred(f"our {title}: I**** is kind", hiding) == f"our {title}: idiot is kind"
    assert starred(f"our {title} i**** is kind", hiding) == f"our {title} idiot is kind"


@pytest.fixture(scope="module")
def short() -> Lexicon:
    """Returns short words that are often hidden."""
    return Lexicon({"friendly": 1, "bus": 2, "tnt": 3}, (), ("fag", "gay", "jew", "cum", "ass", "kike"))


@pytest.mark.parametrize(
    "written",
    [
        "the force F_g points down",
        "play C#m, then A",
        "O_O o_O T_T",
        "let g_y be one and g_x another",
        "set j_w to 1 and i_w to 0",
        "print(f*g)",
        "return a*s + b*s",
        "a*s = f*g",
        "x = k**e + 1",
        "so 2 + f*g",
    ],
)
def test_signs_of_formulas_chords_and_faces_hide_no_letter(short: Lexicon, written: str) -> None:
    assert starred(written, short) == written


@pytest.mark.parametrize("written", ["you f_g", "you f*g, die", "(f*g) and 2 others", "you f_g - i said so"])
def test_a_short_word_that_is_often_hidden_is_found(short: Lexicon, written: str) -> None:
    assert "fag" in starred(written, short)


@pytest.mark.parametrize(
    ("written", "said"),
    [("dirty j_w and that f_g", "dirty jew and that fag"), ("f*g F*G", "fag fag"), ("k**e / j*w", "kike / jew")],
)
def test_several_short_words_are_no_formula(short: Lexicon, written: str, said: str) -> None:
    assert starred(written, short) == said


def test_a_word_that_is_often_hidden_goes_before_others(hiding: Lexicon) -> None:
    assert starred("go to h*ll", hiding) == "go to hell"
    assert starred("he**", hiding) == "hell"


def test_a_sign_in_a_rare_word_hides_a_letter_of_one_that_is_often_hidden() -> None:
    frequent = {f"{a}{b}": at for at, (a, b) in enumerate(product(ascii_lowercase, repeat=2))}
    words = Lexicon({**frequent, "money": 1, "idots": 9999}, (), ("monkey", "idiots", "hell", "hellos"))
    assert starred("You id*ots!", words) == "You idiots!"
    assert starred("my mon*ey", words) == "my mon*ey"  # a frequent word
    assert starred("go to hell**", words) == "go to hell**"  # all of such a word


@pytest.mark.parametrize(
    ("written", "read", "another"),
    [
        ("go to h!ll", "go to hill", True),
        ("go to h!ll", "go to hell", False),
        ("go to h!l", "go to hil", False),
        ("go to h!ll$", "go to hills", False),
        ("go to hill!", "go to hill!", False),
        ("go to h4ll", "go to hall", False),  # a frequent word
        ("the id!ots", "the idiots", False),
    ],
)
def test_a_sign_that_was_read_as_a_letter_may_hide_another(
    hiding: Lexicon, written: str, read: str, *, another: bool
) -> None:
    assert hides_another(written, read.split(), hiding) == another


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
