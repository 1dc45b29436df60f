from __future__ import annotations

import pytest

from crossguard.evaluation.audit.identities import DIALECT_GROUP, IDENTITIES, members, mentions, swap


@pytest.mark.parametrize(
    ("text", "group", "slot"),
    [
        ("I met two gay people", "gay", "plural"),
        ("A gay couple", "gay", "adjective"),
        ("MUSLIMS and friends", "Muslim", "plural"),
        ("black people here", "black", "plural"),
        ("my elderly aunt", "old", "adjective"),
    ],
)
def test_terms_are_found_with_their_place(text: str, group: str, slot: str) -> None:
    assert [(found.group, found.slot) for found in mentions(text)] == [(group, slot)]


@pytest.mark.parametrize("text", ["strawberry blackboard", "mangoes", "a golden fold", "men\u00e9", ""])
def test_parts_of_words_are_no_terms(text: str) -> None:
    assert mentions(text) == []


@pytest.mark.parametrize("text", ["Mu\u017flims", "M\u0131ddle eastern", "\u0130slamic"])
def test_letters_that_unicode_alone_takes_for_those_of_a_term_are_others(text: str) -> None:
    assert mentions(text) == []


def test_every_first_form_is_found_as_its_own_group() -> None:
    for group, forms in IDENTITIES.items():
        assert [found.group for found in mentions(f"so {forms['adjective'][0]} it is")] == [group]
        assert [found.group for found in mentions(f"we are {forms['plural'][0]}")] == [group]


def test_a_swap_keeps_the_rest_and_the_capital() -> None:
    text = "Women know it"
    assert swap(text, mentions(text)[0], "gay") == "Gay people know it"
    assert swap("some women", mentions("some women")[0], "Sikh") == "some Sikhs"


def test_membership_is_per_post_and_absent_groups_are_left_out() -> None:
    found = members(["Muslims and Jews", "nobody", "y'all are nice", "a Jewish aunt"])
    assert found["Muslim"].tolist() == [True, False, False, False]
    assert found["Jewish"].tolist() == [True, False, False, True]
    assert found[DIALECT_GROUP].tolist() == [False, False, True, False]
    assert "women" not in found
