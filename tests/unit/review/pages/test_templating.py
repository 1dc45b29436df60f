"""How pages show texts and times."""

from __future__ import annotations

import pytest
from jinja2 import UndefinedError

from crossguard.review.pages.templating import ago, environment, moment, only_in, seen_by
from crossguard.review.roles import Role
from crossguard.review.store.people import Person

MASKED, OPEN = Person(1, "Ann", Role.REVIEWER), Person(2, "Ben", Role.REVIEWER, show_text=True)


def test_a_text_is_masked_line_by_line_unless_the_person_wants_it_open() -> None:
    text = "You are vermin\nall of\u202e you"
    assert seen_by(text, MASKED) == "You are v*****\nall of you"
    assert seen_by(text, OPEN) == "You are vermin\nall of you"


def test_the_start_of_a_long_text_stands_on_one_line() -> None:
    assert seen_by("one two\nthree four five", OPEN, 10) == "one two t…"
    assert seen_by("short", OPEN, 10) == "short"


def test_what_comes_from_data_is_escaped_and_a_missing_name_is_an_error() -> None:
    template = environment().from_string("{{ text|masked }} {{ missing }}")
    with pytest.raises(UndefinedError):
        template.render(text="a")
    page = environment().get_template("plain.html.j2").render(title="<b>", text="<script>")
    assert "<script>" not in page.replace("<script src", "")
    assert "&lt;script&gt;" in page


def test_words_times_and_ages() -> None:
    assert only_in("Go home now", "you GO now") == "home"
    assert (moment(0.0), moment(None)) == ("1970-01-01 00:00", "")
    assert [ago(seconds) for seconds in (-5, 59, 60, 7200, 200_000)] == ["0 s", "59 s", "1 min", "2 h", "2 d"]
