from __future__ import annotations

from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossguard.preprocessing.normalization import LOOKALIKES, NormalizerName, as_shown, normalize, shorten


@pytest.mark.parametrize(
    ("raw", "clean"),
    [
        ("he\u200bll\u200do", "hello"),
        ("nul\x00 and bell\x07", "nul and bell"),
        ("line\nbreak\tand   spaces ", "line break and spaces"),
        ("\ufeffmark", "mark"),
        ("\u3164hangul\uffa0fillers\u115fand\u1160braille\u2800", "hangul fillers and braille"),
    ],
)
def test_invisible_characters_are_removed_by_every_normalizer(raw: str, clean: str) -> None:
    assert normalize(raw, "none") == clean
    assert normalize(raw, "social") == clean


@pytest.mark.parametrize(
    ("raw", "clean"),
    [
        ("&lt;3 Tom &amp;amp; Jerry", "<3 Tom & Jerry"),
        ("see https://t.co/abc123 now", "see now"),
        ("@some_body @other hi", "user hi"),
        ("RT @someone: hi", "hi"),
        ("\uff46\uff55\uff4c\uff4c \uff57\uff49\uff44\uff54\uff48", "full width"),
        ("h\u0435llo", "hello"),
        ("sooooooo good", "soo good"),
        ("#BuildBridges2day", "Build Bridges 2 day"),
        ("w o r d and w.o.r.d", "word and word"),
        ("it\u2019s \u201cfine\u201d", 'it\'s "fine"'),
        ("fist \U0001f44a\U0001f3ff", "fist fisted hand black"),
        ("\U0001f1eb\U0001f1f7", "fr"),
    ],
)
def test_social_undoes_disguises(raw: str, clean: str) -> None:
    assert normalize(raw, "social") == clean


@pytest.mark.parametrize(
    ("raw", "clean"),
    [
        ("good 👍🏿", "good :)"),
        ("good❤️", "good :)"),
        ("❤️ 😂 all of you 🎉🎉 ", ":) all of you :)"),
        ("😂 😂", "face with tears of joy face with tears of joy"),  # all that it says
        ("clap 👏 now", "clap clapping hands now"),
        ("I know 👩🏿", "I know woman black"),  # a tone is no emoji of its own
        ("I know 👩🏿 😍", "I know woman black :)"),
        ("men 🐒", "men monkey"),
        ("no more 🖤", "no more black heart"),  # it may stand for people
        ("\ufe0f men \ufe0f", "men"),
    ],
)
def test_friendly_emoji_around_a_text_are_a_smile(raw: str, clean: str) -> None:
    assert normalize(raw, "social") == clean


@pytest.mark.parametrize("sign", "●■▪►○★☆✦✱✿❖➤⬇👉")
def test_an_ornament_is_a_bullet(sign: str) -> None:
    """Its name may have "black" or "white" in it, and is no word of the text."""
    assert normalize(f"{sign}\ufe0f tea{sign} coffee", "social") == "\u2022 tea \u2022 coffee"


def test_a_sign_that_says_something_keeps_its_name() -> None:
    assert normalize("✡ ❌ → 🟩", "social") == "star of david cross mark → large green square"
    assert normalize("⬛ people", "social") == "black large square people"  # as people write who mean it


@pytest.mark.parametrize(
    ("raw", "clean"),
    [
        ("&#65;&#x42;&#67 &amp;#68;", "ABC D"),
        (f"&#{'0' * 5000}65;", "A"),
        (f"&amp;#{'0' * 5000}65;", "A"),
        (f"&#{'1' * 5000};", "\ufffd"),
        (f"&amp;#{'1' * 5000} x", "\ufffd x"),
        (f"&#x{'1' * 5000};", "\ufffd"),
        ("&#00;", "\ufffd"),
        ("&#;", "&#;"),
    ],
)
def test_character_references_may_have_any_number_of_digits(raw: str, clean: str) -> None:
    assert as_shown(raw) == clean


@pytest.mark.parametrize("sign", ["\ufffd", "\ufffc", "&#0;", "&#111111111;", "\ufffd\ufffd\ufffd"])
def test_a_sign_in_place_of_what_is_lost_has_no_name(sign: str) -> None:
    assert normalize(f"good morning{sign}", "social") == "good morning"
    assert normalize(f"it{sign}s fine", "social") == "it s fine"
    assert normalize(sign, "social").startswith(("replacement", "object replacement"))


def test_words_in_another_script_are_left_alone() -> None:
    assert normalize("привет друзья", "social") == "привет друзья"


def test_every_lookalike_has_a_latin_letter() -> None:
    assert all(chr(target).isascii() and chr(target).isalpha() for target in LOOKALIKES.values())


@given(st.text(max_size=200), st.sampled_from(get_args(NormalizerName)))
def test_cleaning_twice_changes_nothing_for_none(raw: str, name: NormalizerName) -> None:
    once = normalize(raw, name)
    assert once == once.strip()
    assert "\x00" not in once
    if name == "none":
        assert normalize(once, name) == once


@pytest.mark.parametrize(
    "link",
    [
        "https://t.co/abc</p><p>", 'https://t.co/abc"', "https://t.co/abc\u200b", "https://t.co/abc\u3164",
        "(https://t.co/abc)", "www.t.co/abc|",
        "[here](https://t.co/abc)", "![](https://x.y/a_(b).png)",
    ],
)  # fmt: skip
def test_a_link_hides_no_words_that_touch_it(link: str) -> None:
    clean = normalize(f"{link}hello you", "social")
    assert clean.endswith("hello you")
    assert "t.co" not in clean
    assert "x.y" not in clean


def test_whom_a_retweet_is_of_hides_no_word() -> None:
    assert normalize("RT @bob:Hello you", "social") == normalize("RT @bob: Hello you", "social") == "Hello you"


@pytest.mark.parametrize("text", ["Rtards and all", "RTE News reports", "rtx 4090", "RT_x"])
def test_a_word_that_begins_like_a_retweet_is_whole(text: str) -> None:
    assert normalize(text, "social").replace(" ", "") == text.replace(" ", "")


@pytest.mark.parametrize("sign", ["\u33af", "\u3316", "\ufdfa"])
@pytest.mark.parametrize("count", [1, 230, 1500])
def test_signs_that_grow_push_nothing_behind_the_end(sign: str, count: int) -> None:
    assert normalize(f"{sign * count} hello you", "social").endswith("hello you")


@pytest.mark.parametrize(
    "sign",
    [*" \n\x01\x7f\u034f\u061c\u180e\u200b\u2064\u206a\u3164\ud800\ue000\ufe0f\ufff9", "\U000e0041", "\U000e0101"],
)
def test_no_padding_pushes_words_behind_the_end(sign: str) -> None:
    assert shorten(f"{sign * 70_000}hello you", "none") == "hello you"


@pytest.mark.parametrize("blank", ["&nbsp;", "&#8203;", "&amp;nbsp;"])
def test_no_padding_of_entities_pushes_words_behind_the_end(blank: str) -> None:
    assert shorten(f"{blank * 11_000}hello you", "social") == "hello you"


@pytest.mark.parametrize("sign", "\ufdfa\ufdfb\ufdfd\ufdfe\ufd40")
def test_a_wish_in_one_sign_adds_no_words(sign: str) -> None:
    assert normalize(f"our Prophet {sign} loved cats", "social") == "our Prophet loved cats"
    assert normalize(f" {sign}", "social")


def test_brackets_in_a_link_are_part_of_it() -> None:
    link = "https://example.org/search?filters[topic]=cats&filters[q]=dogs(1)"
    assert normalize(f"see {link} here", "social") == "see here"
    assert normalize(f"[see {link}] here", "social") == "[see ] here"
