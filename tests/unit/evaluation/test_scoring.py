from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from crossguard.evaluation.annotated import Annotated, read_annotated
from crossguard.evaluation.scoring import has_both, in_other_languages, score
from crossguard.labels import HATE
from crossguard.moderator import Moderator


def test_a_view_takes_one_modality_away(tiny: Moderator, annotated: Annotated) -> None:
    both = annotated.take(has_both(score(tiny, annotated)))
    words, images = score(tiny, both, "text-only"), score(tiny, both, "image-only")
    assert (words.text_weight == 1).all()
    assert (images.text_weight == 0).all()
    without_image = tiny.score([post.text for post in both.posts])
    np.testing.assert_allclose(words.sample.scores, [list(found.scores.values()) for found in without_image], atol=1e-5)


def test_only_posts_with_words_and_an_image_tell_the_modalities_apart(
    tiny: Moderator, annotated_posts: Path, annotated: Annotated
) -> None:
    with_image = [post.image is not None for post in annotated.posts]
    assert has_both(score(tiny, annotated)).tolist() == with_image
    assert not has_both(score(tiny, read_annotated(annotated_posts, HATE.names, images=False))).any()
    # Blanks are no words: without the image nothing would be left to score.
    blank = replace(annotated, posts=tuple(replace(post, text=" \u200b", image_text="") for post in annotated.posts))
    assert not has_both(score(tiny, blank.take(np.array(with_image)))).any()


def test_posts_in_languages_that_the_model_does_not_know_are_told(tmp_path: Path) -> None:
    german = "Das ist wirklich ein sehr schöner Tag, und wir gehen heute alle zusammen an den See."
    data = tmp_path / "posts.csv"
    lines = [f'{number},"{text}",0,0,0,0,0' for number, text in enumerate([german, german, "a good day"])]
    data.write_text("\n".join(["id,text," + ",".join(HATE.names), *lines]), encoding="utf-8")
    with Moderator.load("compact") as moderator:
        scored = score(moderator, read_annotated(data, HATE.names))
    assert scored.languages == {"de": 2}
    assert in_other_languages(scored) == [
        "Counted, though their scores mean little: 2 posts in a language that the model does not know (de 2)."
    ]


def test_nothing_is_told_of_posts_in_the_languages_of_the_model(tiny: Moderator, annotated: Annotated) -> None:
    assert in_other_languages(score(tiny, annotated)) == []
