"""Leave one out: what a word adds is the score with it minus the score without."""

from __future__ import annotations

from typing import Any

import pytest

from crossguard.errors import InputError
from crossguard.review import explanation
from crossguard.review.explanation import explain

WEIGHTS = {"awful": 0.6, "people": 0.1, "love": -0.2}


class Spoken:
    """A decision about a text."""

    def __init__(self, text: str) -> None:
        score = 0.2 + sum(WEIGHTS.get(word, 0.0) for word in text.split())
        self.scores = {"racist": score, "sexist": 0.1} if text else {}


class Additive:
    """Scores a text by the sum of its words; an empty one is not scored."""

    def score(self, posts: Any = None, *, text: str = "", image_text: str = "") -> Any:
        assert image_text in {"", "words"}
        return Spoken(text) if posts is None else [Spoken(post["text"]) for post in posts]


def test_each_word_has_what_it_adds() -> None:
    found = explain(Additive(), "love awful people", "words")  # type: ignore[arg-type]
    assert (found.label, round(found.score, 6)) == ("racist", 0.7)
    assert [(word.text, round(word.effect or 0, 6)) for word in found.words] == [
        ("love", -0.2), ("awful", 0.6), ("people", 0.1),
    ]  # fmt: skip
    assert found.strongest == pytest.approx(0.6)


def test_lines_stay_when_a_word_is_left_out() -> None:
    class ByLine(Additive):
        """Scores a text by its worst line."""

        def score(self, posts: Any = None, *, text: str = "", image_text: str = "") -> Any:
            assert not image_text
            texts = [text] if posts is None else [post["text"] for post in posts]
            found = [max(map(Spoken, text.split("\n")), key=lambda line: line.scores["racist"]) for text in texts]
            return found[0] if posts is None else found

    found = explain(ByLine(), "love love all\nawful people\nlove you")  # type: ignore[arg-type]
    assert [word.text for word in found.words if word.effect] == ["awful", "people"]


def test_a_single_word_is_all_of_the_score_and_long_texts_are_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    (word,) = explain(Additive(), "awful").words  # type: ignore[arg-type]
    assert word.effect == pytest.approx(0.8)
    monkeypatch.setattr(explanation, "MOST_WORDS", 1)
    assert [word.effect is None for word in explain(Additive(), "awful people").words] == [False, True]  # type: ignore[arg-type]
    with pytest.raises(InputError, match="no words"):
        explain(Additive(), " ")  # type: ignore[arg-type]
