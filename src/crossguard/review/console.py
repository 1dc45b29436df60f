"""The one object that the pages hold: database, settings, policy text, and the model when somebody needs it."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Final

from pydantic import Field
from sqlalchemy import Connection

from crossguard.bundle import read_bundle
from crossguard.checked_settings import StrictModel, parse, read_yaml
from crossguard.decision.policy import Bands, Kind, Policy
from crossguard.errors import InputError, suggest
from crossguard.labels import HATE
from crossguard.loading import find_bundle, load
from crossguard.moderator import Moderator, resolve_policy
from crossguard.records import Post
from crossguard.review.errors import FormError
from crossguard.review.intake import Intake
from crossguard.review.resolution import Answer, Ballot
from crossguard.review.settings import ReviewSettings
from crossguard.review.store import listing
from crossguard.review.store.database import Database
from crossguard.review.submissions import Submission
from crossguard.wire import MISSING

COMMENT_CHARACTERS: Final = 4000
MANY: Final = 10_000
RECOUNT_S: Final = 5.0
_ACCIDENT: Final = (
    "You answered no to every label. Set the label that makes it '{}'; if there is none, choose a clause or say why in "
    "the comment."
)
_CHANGED: Final = "The labels have changed since this page was opened; there is no longer: {}. Answer those of today."


class Clause(StrictModel):
    """One rule: what a decision names, a few words, and the rule itself."""

    id: str = Field(pattern=r"^[\w.-]{1,64}$")
    title: str
    text: str = ""


class PolicyText(StrictModel):
    """The file that `policy_text` names."""

    clauses: tuple[Clause, ...] = Field(min_length=1)


def read_clauses(path: Path | None, labels: Sequence[str]) -> tuple[Clause, ...]:
    """Returns the clauses of a file; without one, a clause per label, with its meaning if it is one of ours."""
    if path is not None:
        return parse(PolicyText, read_yaml(path), str(path)).clauses
    meanings = {label.name: f"{label.meaning}." for label in HATE}
    # A label may be called what no id in a file may, such as "hate speech"; the settings have checked it.
    return tuple(Clause.model_construct(id=name, title=name, text=meanings.get(name, "")) for name in labels)


def _input(post: Submission) -> Post:
    """Returns a post as the model takes it; one that lacks an image is not scored, as its decision would be another."""
    lacking = next((image for image in post.images if image.startswith(MISSING)), None)
    if lacking is not None:
        return Post.failed(post.id, "image_not_found", lacking.removeprefix(MISSING))
    return Post(post.id, post.text, next(iter(post.images), None), post.image_text, more_images=post.images[1:])


def kind_of(record: Mapping[str, Any]) -> Kind:
    """Returns what the post of a decision has: text, image or both."""
    text = record["modality_weights"]["text"]
    return "text" if text == 1 else "image" if text == 0 else "both"


class Console:
    """State that all requests share; safe to use from several threads."""

    def __init__(self, settings: ReviewSettings, database: Database) -> None:
        self.settings = settings
        self.database = database
        self.clauses = read_clauses(settings.policy_text, settings.labels)
        self.intake = Intake(database, settings)
        self._counted: tuple[float, dict[str, tuple[int, float]]] = (0.0, {})
        self.measured: tuple[float, dict[str, Any]] | None = None
        self.measuring = threading.Lock()
        self._model: Moderator | None = None
        self._loading = threading.Lock()

    @staticmethod
    def now() -> float:
        """Seconds since 1970."""
        return time.time()

    def waiting(self, db: Connection, now: float) -> dict[str, tuple[int, float]]:
        """Returns number and oldest time of the items per queue; large numbers may be some seconds old."""
        at, found = self._counted
        if not 0 <= now - at <= RECOUNT_S or sum(count for count, _ in found.values()) < MANY:
            found = listing.waiting(db)
            self._counted = (now, found)
        return found

    @property
    def moderator(self) -> Moderator:
        """The model, loaded when it is first needed.

        Raises:
            InputError: The console runs without one.
        """
        if self.settings.model == "none":
            raise InputError("This console runs without a model. Start it with --model to score and explain.")
        with self._loading:
            if self._model is None:
                self._model = load(self.settings.model, policy=self.settings.policy)
            return self._model

    def check_model(self) -> None:
        """Raises an error at the start, and not at the first post, where there is no such model or policy."""
        _ = self.policy  # read here, and kept; an assertion would be gone under `python -O`

    def with_decisions(self, posts: Sequence[Submission]) -> list[Submission]:
        """Returns the posts, each with a decision: its own, or the model's; without a model nothing is scored."""
        bare = [post for post in posts if post.decision is None]
        if not bare or self.settings.model == "none":
            return list(posts)
        scored = ({"decision": outcome.to_dict()} for outcome in self.moderator.score(map(_input, bare)))
        return [post.model_copy(update=next(scored)) if post.decision is None else post for post in posts]

    def bands_of(self, record: Mapping[str, Any]) -> Mapping[str, Bands]:
        """Returns the bands of the labels under which a decision was made; none where the policy is another now."""
        policy = self.policy
        same = policy is not None and (record["policy"], record["policy_version"]) == (policy.name, policy.version)
        return policy.rules(kind_of(record)) if policy is not None and same else {}

    @cached_property
    def policy(self) -> Policy | None:
        """The policy that the settings name; None where the console runs without a model."""
        if self.settings.model == "none":
            return None
        return resolve_policy(read_bundle(find_bundle(self.settings.model), verify=False), self.settings.policy)

    def ballot(self, form: Mapping[str, str]) -> Ballot:
        """Reads the fields `action`, `clause`, `comment`, `label.NAME`, and checks them; tells every problem at once.

        Raises:
            FormError: Something required is missing, or something is unknown.
        """
        settings = self.settings
        labels = {name: form[f"label.{name}"] for name in settings.labels if form.get(f"label.{name}")}
        action, clause, comment = (form.get(key, "").strip() for key in ("action", "clause", "comment"))
        offered = [("action", action, settings.actions), ("clause", clause, [entry.id for entry in self.clauses])]
        offered += [(f"answer for {name}", answer, list(Answer)) for name, answer in labels.items()]
        missing = [name for name in settings.labels if name not in labels]
        answered = (key.removeprefix("label.") for key in form if key.startswith("label."))
        dropped = [name for name in answered if name not in settings.labels]
        complete = "labels" in settings.required or not labels
        # The form begins with "no" for each label; thresholds would learn that a hateful post is none.
        by_accident = action in settings.strict_actions and set(labels.values()) == {Answer.NO}
        refused = [
            (not action, f"Choose an action: {', '.join(settings.actions)}."),
            (dropped, _CHANGED.format(", ".join(dropped))),
            (complete and missing, f"Answer every label; missing: {', '.join(missing)}."),
            (by_accident and not (clause or comment), _ACCIDENT.format(action)),
            ("clause" in settings.required and not clause, "Choose the clause of the policy."),
            ("comment" in settings.required and not comment, "Write a comment."),
            (len(comment) > COMMENT_CHARACTERS, f"A comment has at most {COMMENT_CHARACTERS:,} characters."),
        ]
        unknown = [(what, value, known) for what, value, known in offered if value and value not in known]
        problems = [f"Unknown {what} '{value}'.{suggest(value, known)}" for what, value, known in unknown]
        problems += [problem for is_so, problem in refused if is_so]
        if problems:
            raise FormError(" ".join(problems))
        return Ballot({name: Answer(answer) for name, answer in labels.items()}, action, clause, comment)
