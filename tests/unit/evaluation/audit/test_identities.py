from __future__ import annotations

import numpy as np
import pytest

from crossguard.evaluation.audit.counterfactuals import TEMPLATES, summarise, swapped_sentences, template_sentences
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


@pytest.mark.parametrize("text", ["strawberry blackboard", "mangoes", "a golden fold", ""])
def test_parts_of_words_are_no_terms(text: str) -> None:
    assert mentions(text) == []


def test_every_first_form_is_found_as_its_own_group() -> None:
    for identity in IDENTITIES.values():
        assert [found.group for found in mentions(f"so {identity.form('adjective')} it is")] == [identity.name]
        assert [found.group for found in mentions(f"we are {identity.form('plural')}")] == [identity.name]


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


def test_only_sentences_about_one_group_are_swapped() -> None:
    found = swapped_sentences(["I met Muslims", "Muslims and Jews", "nobody"], limit=10)
    assert len(found) == 1
    assert found[0]["women"] == "I met women"
    assert set(found[0]) == set(IDENTITIES)
    assert len(swapped_sentences(["I met Muslims"] * 50, limit=7)) == 7


def test_templates_read_well_for_everybody() -> None:
    sentences = template_sentences()
    assert len(sentences) == len(TEMPLATES)
    for versions in sentences:
        for text in versions.values():
            assert text[0].isupper()
            assert "{" not in text
    article = sentences[TEMPLATES.index("An {adjective} singer gave a concert in the park.")]
    assert article["Asian"].startswith("An Asian")
    assert article["gay"].startswith("A gay")


def test_swaps_are_summed_up_per_group() -> None:
    sentences = [{"x": "about x", "y": "about y"}, {"x": "more x", "y": "more y"}]
    scores, flags = np.array([[0.9, 0.1], [0.5, 0.5]]), np.array([[True, False], [True, True]])
    found = summarise(("x", "y"), sentences, scores, flags, "test")
    assert found.mean_spread == pytest.approx(0.4)
    assert found.worst_spread == pytest.approx(0.8)
    assert found.flips == 0.5
    worst = found.groups[0]
    assert (worst.group, worst.sentence, worst.flagged) == ("x", "about x", 1.0)
    assert worst.shift == pytest.approx(0.2)
    assert worst.worst == pytest.approx(0.4)
