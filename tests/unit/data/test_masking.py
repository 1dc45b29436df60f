from __future__ import annotations

from time import process_time

import pytest

from crossguard.data.masking import excerpt, mask, mask_lines, visible, visible_lines


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("You are all idiots!", "You are all i*****!"),
        ("a$$hole f@ggy", "a****** f****"),
        ("(slurword), @user_name #hash", "(s*******), @u******** #h***"),
        ("I don\N{RIGHT SINGLE QUOTATION MARK}t know", "I don\N{RIGHT SINGLE QUOTATION MARK}t know"),
        ("you s l u r, s.l.u.r!", "you s***, s***!"),
        ("you s . l . u . r", "you s***"),
        ("all s, l, u, r and all s / l / u / r", "all s*** and all s***"),
        ("all s\N{BULLET}l\N{BULLET}u\N{BULLET}r | s | l | u | r", "all s*** | s***"),
        ("you \U0001f1f8 \U0001f1f1 \U0001f1fa \U0001f1f7 must", "you \U0001f1f8*** must"),
        ("you \u24c8 \u24c1 \u24ca \u24c7", "you \u24c8***"),
        ("you s\u0301 l\u0336 \u2013 u\u0301\u0302 r\u0301.", "you s***."),
        ("I am a b, or c d: you, I'm a b, I\u2019m a", "I am a b, or c d: you, I'm a b, I\u2019m a"),
        ("I 'm a b, the s l u r's, 1, 2, 3, 4", "I 'm a b, the s*****, 1, 2, 3, 4"),
        ("तू मेरी बेटी है", "तू म**ी ब**ी है"),
        ("நான் நீ பேசி", "ந**் நீ ப**ி"),
        ("été 愚か者め", "é** 愚***"),
        ("", ""),
        ("!!! ...", "!!! ..."),
        ("slur\u200bword", "s*******"),
        ("two\nlines here\x1b[31m", "two l**** here [3**"),
    ],
)
def test_telling_words_are_hidden(text: str, masked: str) -> None:
    assert mask(text) == masked


def test_terminal_codes_and_direction_marks_do_not_reach_the_terminal() -> None:
    assert visible("a\x1b]0;x\x07b\u202ec\u2028d\0e") == "a ]0;x bc d e"


def test_lines_of_a_message_keep_their_form_but_for_what_steers_a_terminal() -> None:
    message = "2 problems\n  - a:   [\n        ^"
    assert visible_lines(message) == message
    assert visible_lines("a\n  - x\x1b[2J\r\u202ey \udce9.csv\n") == "a\n  - x [2J y ?.csv\n"
    name = "macro\t0.12 \u0646\u0627\u0645\u0647\u200c\u0647\u0627 5\u202fPM \U0001f468\u200d\U0001f469.csv"
    assert visible_lines(f"{name}\x9b\u2066") == f"{name} "


def test_excerpt_is_cut_to_its_width() -> None:
    assert excerpt("short", 10) == "short"
    assert excerpt("a longer text", 10) == "a longer\N{HORIZONTAL ELLIPSIS}"
    assert len(excerpt("x" * 99, 10)) == 10


@pytest.mark.parametrize(
    "part", ["a_ ", "a ", "a, ", "a\u0301 ", "\u24c8 ", "\U0001f1f8 ", "a | | | ", "a b cd ", "a__", "\u0301"]
)
def test_masking_takes_time_in_proportion(part: str) -> None:
    started = process_time()
    mask_lines(part * 30_000)
    mask_lines(f"{part}\n" * 30_000)
    assert process_time() - started < 5  # a few tenths of one


def test_letters_in_circles_and_words_in_pieces_are_hidden() -> None:
    assert mask("\u24e5\u24d4\u24e1\u24dc\u24d8\u24dd") == "\u24e5*****"
    assert mask("\U0001f1fb\U0001f1ea\U0001f1f7\U0001f1f2") == "\U0001f1fb***"
    assert mask("ve rm in is it 42 a") == "v* r* in is it 42 a"
