from __future__ import annotations

from pathlib import Path

import numpy as np

from crossguard.evaluation.annotated import read_annotated
from crossguard.evaluation.scoring import has_both, score
from crossguard.labels import HATE
from crossguard.moderator import Moderator


def test_a_view_takes_one_modality_away(tiny: Moderator, annotated_posts: Path) -> None:
    annotated = read_annotated(annotated_posts, HATE.names)
    both = annotated.take(has_both(annotated))
    words, images = score(tiny, both, "text-only"), score(tiny, both, "image-only")
    assert (words.text_weight == 1).all()
    assert (images.text_weight == 0).all()
    without_image = tiny.score([post.text for post in both.posts])
    np.testing.assert_allclose(words.sample.scores, [list(found.scores.values()) for found in without_image], atol=1e-5)


def test_only_posts_with_words_and_an_image_tell_the_modalities_apart(annotated_posts: Path) -> None:
    annotated = read_annotated(annotated_posts, HATE.names)
    assert has_both(annotated).tolist() == [post.image is not None for post in annotated.posts]
    assert not has_both(read_annotated(annotated_posts, HATE.names, images=False)).any()
