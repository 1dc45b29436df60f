"""A policy says what is done with scores: thresholds, review bands, calibration, and for which mix of posts.

Policies live in a bundle by name; a YAML file overrides one without touching the bundle, see `policy_file`.
"""

from __future__ import annotations

import copy
from collections.abc import Collection, Container, Mapping
from typing import Annotated, Any, Literal, NamedTuple, Self, TypeAlias, get_args

import numpy as np
from numpy.typing import NDArray
from pydantic import (
    BeforeValidator,
    ConfigDict,
    Field,
    PrivateAttr,
    SerializerFunctionWrapHandler,
    ValidationInfo,
    model_serializer,
    model_validator,
)

from crossguard.checked_settings import StrictModel
from crossguard.decision.calibration import Calibrator, Floats, Identity, MonotoneMap, shift_prior
from crossguard.errors import ConfigError, suggest
from crossguard.labels import LabelSet
from crossguard.records import Action, LabelDecision
from crossguard.schema import Probability

Kind: TypeAlias = Literal["text", "image", "both"]


def _no_switch(value: object, info: ValidationInfo) -> object:
    """Refuses true and false, which would count as 1 and 0: `review: no` would send every post to review."""
    if isinstance(value, bool):
        name = info.field_name
        remedy = f"; for no such band, write '{name}: null'" if name in {"review", "block"} else ""
        told = f"must be a number, and YAML reads yes, no, on and off as true and false{remedy}"
        raise ValueError(told)  # noqa: TRY004 - pydantic's own reports take no other
    return value


Level: TypeAlias = Annotated[Probability, BeforeValidator(_no_switch)]
Rate: TypeAlias = Annotated[float, Field(gt=0, lt=1), BeforeValidator(_no_switch)]


class Prevalence(StrictModel):
    """Base rates before and after prior-shift correction."""

    source: Rate
    target: Rate


def disorder(bands: Mapping[str, Any]) -> str:
    """Says which bands lie on the wrong side of the threshold."""
    threshold, review, block = bands["threshold"], bands["review"], bands["block"]
    told = []
    if None not in (threshold, review) and review > threshold:
        told.append(f"review ({review}) must not lie above threshold ({threshold})")
    if None not in (threshold, block) and block < threshold:
        told.append(f"block ({block}) must not lie below threshold ({threshold})")
    return ", and ".join(told)


class Calibrated(StrictModel):
    """How one output of the model becomes a score.

    Attributes:
        calibration: How logits become probabilities.
        prevalence: Correction for a feed whose base rate differs from the calibration data's.
    """

    calibration: Calibrator = Identity()
    prevalence: Prevalence | None = None

    def score(self, logits: NDArray[np.floating]) -> Floats:
        """Returns probabilities in [0, 1] for the logits of this output, (n,)."""
        scores = self.calibration.apply(np.asarray(logits, dtype=np.float64))
        if self.prevalence is None:
            return scores
        return shift_prior(scores, self.prevalence.source, self.prevalence.target)


class Bands(StrictModel):
    """What a score asks for: `allow` below `review`, `review` up to `block`, `block` from there on.

    Attributes:
        threshold: The score from which the label is flagged.
        review: The score from which a person should look; the threshold when not given.
        block: The score from which the post is held back; never when not given.
    """

    # In a policy, a copy that was changed is checked like a new one.
    model_config = ConfigDict(revalidate_instances="always")

    threshold: Level
    review: Level | None = None
    block: Level | None = None

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if told := disorder(vars(self)):
            raise ValueError(told)
        return self

    @property
    def review_from(self) -> float:
        """The score from which a person should look."""
        return self.threshold if self.review is None else self.review

    def action(self, score: float) -> Action:
        """Returns what this score alone asks for."""
        if self.block is not None and score >= self.block:
            return Action.BLOCK
        if score >= self.review_from:
            return Action.REVIEW
        return Action.ALLOW

    def decide(self, score: float) -> LabelDecision:
        """Returns the whole decision on one score."""
        return LabelDecision(score, self.threshold, score >= self.threshold, self.action(score))


class LabelPolicy(Bands, Calibrated):
    """How one label is scored and decided."""


class BandsOverride(StrictModel):
    """Bands that replace others, field by field; `review: null` or `block: null` takes a band away."""

    threshold: Level | None = None
    review: Level | None = None
    block: Level | None = None

    @model_serializer(mode="wrap")
    def _only_given(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {name: value for name, value in handler(self).items() if name in self.model_fields_set}

    def given(self) -> dict[str, Any]:
        """Returns the fields that somebody wrote, as plain data; an explicit null is among them."""
        return self.model_dump(mode="json")


class Costs(StrictModel):
    """What mistakes cost whoever chose the thresholds, in one unit; recorded, not computed with.

    Attributes:
        false_positive: A harmless post that a person has to look at.
        false_negative: A hateful post that stays.
        wrong_block: A harmless post that is held back.
    """

    false_positive: float = Field(ge=0)
    false_negative: float = Field(ge=0)
    wrong_block: float | None = Field(default=None, ge=0)


class Verdict(NamedTuple):
    """What a policy says of one post."""

    labels: dict[str, LabelDecision]  # an entry per label
    action: Action  # the strictest of the labels and of the attributes with bands
    decided_by: tuple[str, ...]  # labels and attributes that ask for it, the one farthest above its threshold first


class Policy(StrictModel):
    """Thresholds and bands for every label.

    Attributes:
        name: The word for `--policy`.
        version: Travels with every decision.
        description: For which feed the policy was chosen, and how.
        base: The bundle's policy that this one was made of, where it is not the bundle's own.
        label_scheme: Which outputs of the model it reads.
        labels: One entry per label.
        inputs: Other bands per kind of input (`text`: words alone, `image`: an image without words, `both`) and label.
        attributes: Bands of the bundle's attributes that enter the action; the others are only told.
        costs: By which the bands were chosen.
        feed_prevalence: Share of the feed's posts that carry a label, for which the bands were chosen.
        provenance: What the thresholds were fitted on; an evaluation on the same data warns.
        perspective: Maps from scores of attributes to Perspective's, by its names; only `/v1alpha1/` answers use them.
    """

    name: str
    version: str
    description: str = ""
    base: str | None = None
    label_scheme: str = "labels"
    labels: dict[str, LabelPolicy]
    inputs: dict[Kind, dict[str, BandsOverride]] = Field(default_factory=dict)
    attributes: dict[str, Bands] = Field(default_factory=dict)
    costs: Costs | None = None
    feed_prevalence: dict[str, Rate] = Field(default_factory=dict)
    provenance: dict[str, Any] = Field(default_factory=dict)
    perspective: dict[str, MonotoneMap] = Field(default_factory=dict)
    _rules: dict[str, dict[str, LabelPolicy]] = PrivateAttr(default_factory=dict)

    @model_validator(mode="after")
    def _merge(self) -> Self:
        problems = []
        for kind, overrides in self.inputs.items():
            self._rules[kind] = dict(self.labels)
            for name, override in overrides.items():
                if name not in self.labels:
                    problems.append(f"'inputs.{kind}': unknown label '{name}'.{suggest(name, self.labels)}")
                elif told := disorder(bands := self.labels[name].model_dump() | override.given()):
                    problems.append(f"'inputs.{kind}.{name}': {told}")
                else:
                    self._rules[kind][name] = LabelPolicy(**bands)
        if problems:
            raise ValueError("; ".join(problems))
        return self

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """Returns a changed policy, checked as a new one is."""
        fields = dict(copy.deepcopy(self) if deep else self)
        return type(self)(**fields | dict(update or {}))

    def __repr__(self) -> str:
        return f"Policy({self.name} {self.version}, {', '.join(self.labels)})"

    __str__ = __repr__  # pydantic has one of its own

    @property
    def kinds(self) -> tuple[Kind, ...]:
        """The kinds of input to tell apart: one where the same bands hold for every post."""
        return get_args(Kind) if self.inputs else ("text",)

    def rules(self, kind: Kind = "text") -> Mapping[str, LabelPolicy]:
        """Returns the rule of each label for one kind of input."""
        return self._rules.get(kind, self.labels)

    def check(self, labels: LabelSet, attributes: Container[str], schemes: Collection[str]) -> None:
        """Checks that the policy is for a model of these labels, attributes and label schemes.

        Raises:
            ConfigError: They do not name the same labels, or the model lacks an attribute or the scheme.
        """
        missing = [name for name in labels.names if name not in self.labels]
        unknown = [name for name in self.labels if name not in labels.names]
        problems = [f"label '{name}' has no threshold" for name in missing]
        problems += [f"Unknown label '{name}'.{suggest(name, labels.names)}" for name in unknown]
        absent = [name for name in self.attributes if name not in attributes]
        problems += [f"the model has no attribute '{name}'" for name in absent]
        if self.label_scheme not in schemes:
            problems.append(f"the model has no label scheme '{self.label_scheme}', but {', '.join(schemes)}")
        if problems:
            raise ConfigError.gather(f"Policy '{self.name}'", problems)

    def scores(self, labels: LabelSet, logits: NDArray[np.floating]) -> Floats:
        """Turns the logits of this policy's label scheme into calibrated probabilities, (n, labels)."""
        columns = [self.labels[name].score(logits[:, column]) for column, name in enumerate(labels.names)]
        return np.stack(columns, axis=1)

    def decide(
        self, labels: LabelSet, scores: Floats, kind: Kind = "text", attributes: Mapping[str, float] | None = None
    ) -> Verdict:
        """Decides one post.

        Args:
            labels: Of the model.
            scores: (labels,).
            kind: What the post has.
            attributes: Scores by attribute; those with bands in this policy count.
        """
        rules = self.rules(kind)
        decisions = {name: rules[name].decide(float(score)) for name, score in zip(labels.names, scores, strict=True)}
        beside = {name: bands.decide(attributes[name]) for name, bands in self.attributes.items()} if attributes else {}
        entries = decisions | beside
        actions = [entry.action for entry in entries.values()]
        action = max(actions)
        asking = [name for name, own in zip(entries, actions, strict=True) if own is action]
        if len(asking) > 1:
            asking.sort(key=lambda name: entries[name].threshold - entries[name].score)
        return Verdict(decisions, action, tuple(asking))


def choose(policies: Mapping[str, Policy], name: str) -> Policy:
    """Returns the policy of that name.

    Raises:
        ConfigError: There is none; names the known ones.
    """
    if name not in policies:
        raise ConfigError(f"Unknown policy '{name}'.{suggest(name, policies)} Or give a YAML file.")
    return policies[name]
