"""What comes in: posts with or without decisions, people's reports, appeals. Each is checked and becomes an item."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from crossguard.errors import InputError, suggest
from crossguard.likeness import describe, image_hash
from crossguard.records import Action, Decision
from crossguard.review.settings import MAIN, ReviewSettings
from crossguard.review.store import arrivals
from crossguard.review.store.counting import FeedPost, count_feed, scored_by
from crossguard.review.store.database import Database
from crossguard.review.store.items import DEMO, ROUTED
from crossguard.review.store.schema import DAY, HOUR
from crossguard.review.submissions import Submission, as_jpeg, decision_of
from crossguard.schema import DecisionRecord

_SEVERITY_H: Final = {None: 24.0, Action.ALLOW: 0.0, Action.REVIEW: 24.0, Action.BLOCK: 48.0}
"""Hours of waiting that an action counts as much as; a score of 1 counts as much as a day."""
_NEAR: Final = 0.5
_KEPT: Final = DecisionRecord.model_fields.keys() - {"input", "digest"}
"""Of a record of scoring; not what the caller's row held beside the post, or put into the record, which is theirs to
erase; nor that by which whoever guesses an erased text would know that they are right."""
AUDITED: Final = ("allow-far", "allow-near")
FAILED: Final = "failed"
"""Stratum of posts that could not be scored; people see them all, though no policy flagged them."""
FLAGGED: Final = ("review", "block", FAILED)


@dataclass(frozen=True, slots=True)
class Received:
    """What became of a batch: numbers of posts."""

    taken: int
    known: int
    passed: int
    edited: Sequence[str] = ()  # ids of those that were there with another text or other images
    left_out: Sequence[str] = ()  # of a file: which rows the console does not take, each with the reason

    def to_dict(self) -> dict[str, Any]:
        """Returns the answer of the API."""
        numbers = {"taken": self.taken, "known_already": self.known, "allowed_and_not_sampled": self.passed}
        return numbers | {"edited": list(self.edited)}


class Intake:
    """Takes posts into a database."""

    def __init__(self, database: Database, settings: ReviewSettings) -> None:
        self._database = database
        self._settings = settings

    def take(self, posts: Iterable[Submission], now: float) -> Received:
        """Stores what people should see, in one transaction.

        Flagged and reported posts are all stored. Of allowed ones a sample is stored for the audit, chosen by a hash of
        their ids, and the rest is only counted, which is what the estimate of recall needs. A post that is sent again
        neither becomes another item nor counts again, whatever the policy says of it by then, unless it was edited:
        then its new version is to be judged, too, and what was said about the earlier one is not about the new one,
        sampled or not. In the numbers of the feed, it is what the policy says of it by now.
        """
        checked = [self._check(post) for post in posts]
        wanted = [self._wanted(post, decision) for post, decision in checked]
        names = [(post.source, post.id) for post, _ in checked]
        with self._database.read() as db:  # before its turn to write, as images are decoded for those that are there
            there = arrivals.stored(db, {name for name, stored in zip(names, wanted, strict=True) if not stored})
        there |= {name for name, stored in zip(names, wanted, strict=True) if stored}
        new = [
            self._item(post, decision, now) if stored else _version(post, decision)
            for (post, decision), name, stored in zip(checked, names, wanted, strict=True)
            if name in there
        ]
        # Also of posts that are not sampled any more: erasing an author has to find what is there of them.
        authors = {(post.source, post.id): post.author for post, _ in reversed(checked) if post.author is not None}
        feed = [
            FeedPost(
                post.source,
                post.id,
                stratum_of(decision),
                post.text,
                post.image_text,
                self._inclusion(post, decision),
                scored_by(post.decision),
            )
            for post, decision in checked
            if _of_feed(post)
        ]
        day = int(now // DAY)
        with self._database.write() as tx:
            made, edited = arrivals.put(tx, new, authors, feed, day)
            count_feed(tx, day, feed)
        return Received(made, sum(wanted) - made, len(checked) - sum(wanted), edited)

    def _check(self, post: Submission) -> tuple[Submission, Decision | None]:
        settings, expected = self._settings, post.expected
        named = [("queue", post.queue, settings.all_queues)] if post.queue is not None else []
        if expected is not None:
            named += [("label", name, settings.labels) for name in expected.labels]
            named.append(("action", expected.action, settings.actions))
        for what, name, known in named:
            if name not in known:
                raise InputError(f"Post '{post.id}': Unknown {what} '{name}'.{suggest(name, known)}")
        return post, decision_of(post.decision, post.id)

    def _wanted(self, post: Submission, decision: Decision | None) -> bool:
        return self._inclusion(post, decision) > uniform("audit", post.source, post.id)

    def _inclusion(self, post: Submission, decision: Decision | None) -> float:
        if post.source == DEMO or not _of_feed(post):
            return 1.0
        rates = {"allow-far": self._settings.audit_rate, "allow-near": self._settings.audit_rate_near}
        return rates.get(stratum_of(decision), 1.0)

    def _item(self, post: Submission, decision: Decision | None, now: float) -> arrivals.NewItem:
        kind = _kind(post, decision)
        second = (
            kind != "audit"
            and post.source != DEMO  # a newcomer is alone, and sees what the model says
            and uniform("blind", post.source, post.id) < self._settings.second_vote_rate
        )
        blind = second or kind == "audit"
        severity, uncertainty = _blind_order(post) if blind else _order(decision)
        label, score = (decision and decision.top) or (None, None)
        row = {
            "source": post.source,
            "kind": kind,
            "external": post.id,
            "queue": post.queue or MAIN,
            "state": "gold" if kind == "gold" else "open",
            "text": post.text,
            "image_text": post.image_text,
            "author": post.author,
            "language": post.language,
            "posted_at": post.posted_at,
            "received_at": now,
            "decision": post.decision and {n: value for n, value in post.decision.items() if n in _KEPT},
            "action": decision.action.value if decision and decision.action else None,
            "score": score,
            "label": label,
            "flagged": "".join(f" {name} " for name in _named(decision)),
            "urgency": severity - now / HOUR,
            "uncertainty": uncertainty,
            "shuffle": uniform("order", post.source, post.id),
            "stratum": stratum_of(decision) if _of_feed(post) else ROUTED,
            "inclusion": self._inclusion(post, decision),
            "blind": blind,
            "needed": 2 if second and kind != "gold" else 1,
            "expected": post.expected.model_dump() if post.expected else None,
        }
        images = _images(post)
        likeness = describe(f"{post.text} {post.image_text}", [found for _, found, _ in images if found])
        report = (post.report.reporter, post.report.reason) if post.report else None
        suggestion = (post.suggestion.by, post.suggestion.scores) if post.suggestion else None
        return arrivals.NewItem(row, images, likeness, report, suggestion)


def _version(post: Submission, decision: Decision | None) -> arrivals.NewItem:
    """Returns an allowed post that is not sampled: what is there of it may be about an earlier version."""
    row = {"source": post.source, "kind": _kind(post, decision), "external": post.id}
    return arrivals.NewItem(row | {"text": post.text, "image_text": post.image_text}, _images(post), wanted=False)


def _images(post: Submission) -> list[tuple[bytes | None, bytes | None, str]]:
    """Returns JPEG, perceptual hash and problem of each image."""
    return [(jpeg, jpeg and image_hash(jpeg), why) for source in post.images for jpeg, why in as_jpeg(source)]


def _named(decision: Decision | None) -> Iterator[str]:
    """Yields the labels that are flagged, or by whose bands the post is there."""
    for name, label in decision.labels.items() if decision else ():
        if label.flagged or label.action is not Action.ALLOW:
            yield name


def _order(decision: Decision | None) -> tuple[float, float]:
    """Returns the severity, in hours of waiting, and how uncertain the model is, in [0, 1]."""
    if decision is None:
        return _SEVERITY_H[None], 1.0
    margins = (abs(label.score - label.threshold) for label in decision.labels.values())
    return _SEVERITY_H[decision.action] + 24 * max(decision.scores.values()), 1.0 - min(margins)


def _blind_order(post: Submission) -> tuple[float, float]:
    """Returns the same for a post whose place among the others must not tell reviewers what the model said."""
    drawn = [uniform(purpose, post.source, post.id) for purpose in ("severity", "uncertainty")]
    return _SEVERITY_H[Action.REVIEW] + 48 * drawn[0], drawn[1]


def _kind(post: Submission, decision: Decision | None) -> str:
    if post.expected is not None:
        return "gold"
    if post.report is not None or post.suggestion is not None:
        return "report"
    return "audit" if stratum_of(decision) in AUDITED and post.source != DEMO else "flag"


def _of_feed(post: Submission) -> bool:
    asked_for = (post.report, post.suggestion, post.expected)  # a queue only says where the item goes
    return post.decision is not None and all(reason is None for reason in asked_for)


def stratum_of(decision: Decision | None) -> str:
    """Returns the stratum of the feed that a post belongs to; what is sampled is sampled within strata."""
    if decision is None:
        return FAILED
    return stratum_named(str(decision.action), ((found.score, found.threshold) for found in decision.labels.values()))


def stratum_named(action: str, labels: Iterable[tuple[float, float]]) -> str:
    """Returns the stratum of a post with this action, and with these scores and thresholds."""
    if action != Action.ALLOW:
        return action
    return "allow-near" if any(score >= _NEAR * threshold for score, threshold in labels) else "allow-far"


def uniform(purpose: str, source: str, id_: str) -> float:
    """Returns a number in [0, 1) that is always the same for a post, and independent between purposes."""
    digest = hashlib.sha256(f"{purpose}\0{source}\0{id_}".encode("utf-8", "surrogatepass")).digest()
    return int.from_bytes(digest[:7]) / 2**56
