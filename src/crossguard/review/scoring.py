"""Scores what comes without a decision, so that one process serves console and scoring."""

from __future__ import annotations

from collections.abc import Sequence

from crossguard.records import Post
from crossguard.review.console import Console
from crossguard.review.intake import Submission


def with_decisions(console: Console, posts: Sequence[Submission]) -> list[Submission]:
    """Returns the posts, each with a decision: its own, or the console's model's.

    People's reports and golden items need no decision; without a model nothing is scored.
    """
    bare = [post for post in posts if post.decision is None]
    if not bare or console.settings.model == "none":
        return list(posts)
    inputs = [
        Post(post.id, post.text, next(iter(post.images), None), post.image_text, more_images=post.images[1:])
        for post in bare
    ]
    scored = {id(post): outcome.to_dict() for post, outcome in zip(bare, console.moderator.score(inputs), strict=True)}
    return [post.model_copy(update={"decision": scored[id(post)]}) if id(post) in scored else post for post in posts]
