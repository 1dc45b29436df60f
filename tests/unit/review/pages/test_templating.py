"""How pages show texts and times."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from jinja2 import UndefinedError

from crossguard.review.pages.templating import ago, environment, masked, moment, only_in, plain

words: Any = environment().get_template("words.html.j2").module


def test_a_text_is_masked_line_by_line() -> None:
    text = "You are vermin\nall of\u202e you"
    assert masked(text) == "You are v*****\nall of you"
    assert plain(text) == "You are vermin\nall of you"


def test_a_word_that_is_written_downwards_is_masked_as_one() -> None:
    assert masked("you:\nv\n\n- e -\nr m\ni\nn\nyou") == "you:\nv*****\nyou"
    assert masked("a\nb\n\nyou") == "a\nb\n\nyou"


def test_the_start_of_a_long_text_stands_on_one_line() -> None:
    assert plain("one two\nthree four five", 10) == "one two t…"
    assert plain("short", 10) == "short"
    assert plain(" " * 100 + "\u200b" * 100 + "words behind blanks", 10) == "words beh…"


def test_a_post_begins_with_its_text_or_else_the_words_in_its_image() -> None:
    def start(text: str, image_text: str) -> str:
        return str(words.start(SimpleNamespace(text=text, image_text=image_text), 40))

    assert start("my vermin", "other") == '<span class="veiled">my v*****</span><span class="bare">my vermin</span>'
    assert start(" \n", "<b>") == '<span class="veiled">&lt;b&gt;</span><span class="bare">&lt;b&gt;</span>'
    assert start("", " ") == "(no text)"


def test_what_comes_from_data_is_escaped_and_a_missing_name_is_an_error() -> None:
    template = environment().from_string("{{ text|masked }} {{ missing }}")
    with pytest.raises(UndefinedError):
        template.render(text="a")
    page = environment().get_template("plain.html.j2").render(title="<b>", text="<script>")
    assert "<script>" not in page.replace("<script src", "")
    assert "&lt;script&gt;" in page


def test_words_times_and_ages() -> None:
    assert only_in("Go home now", "you GO now") == "home"
    assert (moment(0.0), moment(None)) == ("1970-01-01 00:00 UTC", "")
    assert [ago(seconds) for seconds in (-5, 59, 60, 7200, 200_000)] == ["0 s", "59 s", "1 min", "2 h", "2 d"]
