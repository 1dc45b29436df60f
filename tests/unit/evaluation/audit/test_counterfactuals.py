from __future__ import annotations

import numpy as np
import pytest

from crossguard.decision.policy import LabelPolicy
from crossguard.errors import InputError
from crossguard.evaluation.audit.counterfactuals import (
    TEMPLATES,
    compare_groups,
    compare_templates,
    summarise,
    swapped_sentences,
    template_sentences,
)
from crossguard.evaluation.audit.identities import IDENTITIES
from crossguard.evaluation.sample import ANY
from crossguard.labels import HATE
from crossguard.moderator import Moderator
from crossguard.records import Decision, Post


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


def test_the_templates_are_scored_for_every_group(tiny: Moderator) -> None:
    found = compare_templates(tiny)
    assert found.harmless
    assert found.sentences == len(TEMPLATES)
    assert {group.group for group in found.groups} == set(IDENTITIES)
    assert sum(group.shift for group in found.groups) == pytest.approx(0, abs=1e-6)


def test_score_and_flag_are_those_of_the_label_that_is_asked_for(tiny: Moderator) -> None:
    scores = [tiny.score(text=versions["women"]).scores["sexist"] for versions in template_sentences()]
    # Half of the sentences about women are flagged as sexist, and none as anything else.
    rules = {name: LabelPolicy(threshold=float(np.median(scores)) if name == "sexist" else 1) for name in HATE.names}
    moderator = tiny.with_policy(tiny.policy.model_copy(update={"labels": rules, "inputs": {}}))
    found = {question: compare_templates(moderator, question) for question in ("sexist", "racist", ANY)}
    assert {question: result.question for question, result in found.items()} == {name: name for name in found}
    flagged = {question: {group.group: group.flagged for group in result.groups} for question, result in found.items()}
    assert flagged["sexist"]["women"] == 0.5
    assert flagged["sexist"] == flagged[ANY]
    assert set(flagged["racist"].values()) == {0.0}
    assert len({result.mean_spread for result in found.values()}) > 1, "labels have scores of their own"


def test_a_sentence_that_fails_for_one_group_is_left_out_for_all(
    tiny: Moderator, monkeypatch: pytest.MonkeyPatch
) -> None:
    sentences = [{group: f"{number} {group}" for group in IDENTITIES} for number in range(3)]
    score = Moderator.score

    def failing(moderator: Moderator, posts: list[Post]) -> list[Decision]:
        broken = [Post.failed(post.id, "too_odd", "no") if post.text == "1 women" else post for post in posts]
        return list(score(moderator, broken))

    monkeypatch.setattr(Moderator, "score", failing)
    found = compare_groups(tiny, sentences, "test")
    assert found.sentences == 2
    assert all(group.sentence.split(" ", 1) in (["0", group.group], ["2", group.group]) for group in found.groups)
    with pytest.raises(InputError, match="None of the 1 sentences"):
        compare_groups(tiny, sentences[1:2], "test")
