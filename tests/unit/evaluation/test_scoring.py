from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from crossguard.evaluation.annotated import read_annotated
from crossguard.evaluation.scoring import has_both, score
from crossguard.labels import HATE
from crossguard.moderator import Moderator


def test_a_view_takes_one_modality_away(tiny: Moderator, annotated_posts: Path) -> None:
    annotated = read_annotated(annotated_posts, HATE.names)
    both = annotated.take(has_both(score(tiny, annotated)))
    words, images = score(tiny, both, "text-only"), score(tiny, both, "image-only")
    assert (words.text_weight == 1).all()
    assert (images.text_weight == 0).all()
    without_image = tiny.score([post.text for post in both.posts])
    np.testing.assert_allclose(words.sample.scores, [list(found.scores.values()) for found in without_image], atol=1e-5)


def test_only_posts_with_words_and_an_image_tell_the_modalities_apart(tiny: Moderator, annotated_posts: Path) -> None:
    annotated = read_annotated(annotated_posts, HATE.names)
    with_image = [post.image is not None for post in annotated.posts]
    assert has_both(score(tiny, annotated)).tolist() == with_image
    assert not has_both(score(tiny, read_annotated(annotated_posts, HATE.names, images=False))).any()
    # Blanks are no words: without the image nothing would be left to score.
    blank = replace(annotated, posts=tuple(replace(post, text=" \u200b", image_text="") for post in annotated.posts))
    assert not has_both(score(tiny, blank.take(np.array(with_image)))).any()
