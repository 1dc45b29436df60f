"""A policy says what is done with scores: thresholds, review bands, calibration, and for which mix of posts.

Policies live in a bundle by name; a YAML file with the same keys overrides one without touching the bundle.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from crossguard.decision.calibration import Calibrator, Floats, Identity, calibrate, shift_prior
from crossguard.decision.monotone import MonotoneMap
from crossguard.errors import ConfigError, suggest
from crossguard.labels import LabelSet
from crossguard.records import Action, LabelDecision
from crossguard.strict import StrictModel, parse, read_yaml

Probability = Field(ge=0, le=1)


class Prevalence(StrictModel):
    """Base rates before and after prior-shift correction."""

    source: float = Field(gt=0, lt=1)
    target: float = Field(gt=0, lt=1)


class LabelPolicy(StrictModel):
    """How one label is decided: `allow` below `review`, `review` up to `block`, `block` from there on.

    Attributes:
        threshold: The score from which the label is flagged.
        review: The score from which a person should look; the threshold when not given.
        block: The score from which the post is held back; never when not given.
        calibration: How logits become scores.
        prevalence: Correction for a feed whose base rate differs from the calibration data's.
    """

    threshold: float = Probability
    review: float | None = Field(default=None, ge=0, le=1)
    block: float | None = Field(default=None, ge=0, le=1)
    calibration: Calibrator = Identity()
    prevalence: Prevalence | None = None

    @model_validator(mode="after")
    def _ordered(self) -> LabelPolicy:
        if self.review is not None and self.review > self.threshold:
            raise ValueError(f"review ({self.review}) must not lie above threshold ({self.threshold})")
        if self.block is not None and self.block < self.threshold:
            raise ValueError(f"block ({self.block}) must not lie below threshold ({self.threshold})")
        return self

    def action(self, score: float) -> Action:
        """Returns what this label alone asks for."""
        if self.block is not None and score >= self.block:
            return Action.BLOCK
        if score >= (self.threshold if self.review is None else self.review):
            return Action.REVIEW
        return Action.ALLOW


class Policy(StrictModel):
    """Thresholds and bands for every label.

    Attributes:
        name: The word for `--policy`.
        version: Travels with every decision.
        description: For which feed the policy was chosen, and how.
        label_scheme: Which outputs of the model it reads.
        labels: One entry per label.
        provenance: What the thresholds were fitted on; an evaluation on the same data warns.
        perspective: Maps from scores of attributes to Perspective's, by its names; only `/v1alpha1/` answers use them.
    """

    name: str
    version: str
    description: str = ""
    label_scheme: str = "labels"
    labels: dict[str, LabelPolicy]
    provenance: dict[str, Any] = Field(default_factory=dict)
    perspective: dict[str, MonotoneMap] = Field(default_factory=dict)

    def check(self, labels: LabelSet) -> None:
        """Raises ConfigError when the policy and a model do not name the same labels."""
        missing = [name for name in labels.names if name not in self.labels]
        unknown = [name for name in self.labels if name not in labels.names]
        problems = [f"label '{name}' has no threshold" for name in missing]
        problems += [f"Unknown label '{name}'.{suggest(name, labels.names)}" for name in unknown]
        if problems:
            raise ConfigError.gather(f"Policy '{self.name}'", problems)

    def scores(self, labels: LabelSet, logits: NDArray[np.floating]) -> Floats:
        """Turns the logits of this policy's label scheme into calibrated probabilities, (n, labels)."""
        rules = [self.labels[name] for name in labels.names]
        probabilities = calibrate([rule.calibration for rule in rules], logits)
        for column, rule in enumerate(rules):
            if rule.prevalence is not None:
                source, target = np.array([rule.prevalence.source]), np.array([rule.prevalence.target])
                probabilities[:, column] = shift_prior(probabilities[:, column], source, target)
        return probabilities

    def decide(self, labels: LabelSet, scores: Floats) -> tuple[dict[str, LabelDecision], Action]:
        """Decides one post from its scores, (labels,): an entry per label, and the strictest action."""
        decisions: dict[str, LabelDecision] = {}
        for name, value in zip(labels.names, scores, strict=True):
            rule, score = self.labels[name], float(value)
            decisions[name] = LabelDecision(score, rule.threshold, score >= rule.threshold, rule.action(score))
        order = list(Action)
        return decisions, max((entry.action for entry in decisions.values()), key=order.index)


class LabelOverride(StrictModel):
    """What a policy file may change for one label; `review: null` or `block: null` takes the base's band away."""

    threshold: float | None = Field(default=None, ge=0, le=1)
    review: float | None = Field(default=None, ge=0, le=1)
    block: float | None = Field(default=None, ge=0, le=1)
    calibration: Calibrator = Identity()
    prevalence: Prevalence | None = None

    def given(self) -> dict[str, Any]:
        """Returns the fields that somebody wrote, as plain data; an explicit null is among them."""
        return self.model_dump(mode="json", include=self.model_fields_set)


class PolicyFile(StrictModel):
    """A YAML file that overrides a bundle's policy, for everybody or per tenant.

    Attributes:
        name: A name of its own.
        version: A version of its own; the hash of the file's content is added to it.
        base: The bundle's policy to start from.
        description: For people.
        labels: Overrides per label.
        tenants: Overrides per tenant and label, on top of `labels`.
        provenance: What the thresholds were fitted on, as `crossguard calibrate` writes it; replaces the base's.
        perspective: Maps to Perspective's scores, as `crossguard perspective map` writes them; replace the base's.
    """

    name: str = Field(pattern=r"^[A-Za-z0-9_.-]+$")
    version: str = Field(min_length=1)
    base: str = "default"
    description: str = ""
    labels: dict[str, LabelOverride] = Field(default_factory=dict)
    tenants: dict[str, dict[str, LabelOverride]] = Field(default_factory=dict)
    provenance: dict[str, Any] = Field(default_factory=dict)
    perspective: dict[str, MonotoneMap] = Field(default_factory=dict)

    def apply(self, policies: Mapping[str, Policy], labels: LabelSet, tenant: str | None = None) -> Policy:
        """Returns the bundle's policy with this file's overrides.

        Raises:
            ConfigError: Unknown base, tenant or label, or bands in the wrong order.
        """
        base = choose(policies, self.base)
        if tenant is not None and tenant not in self.tenants:
            raise ConfigError(f"Policy '{self.name}' has no tenant '{tenant}'.{suggest(tenant, self.tenants)}")
        rules = {name: rule.model_dump() for name, rule in base.labels.items()}
        problems: list[str] = []
        for overrides in (self.labels, self.tenants[tenant] if tenant is not None else {}):
            for name, override in overrides.items():
                if name not in labels.names:
                    problems.append(f"Unknown label '{name}'.{suggest(name, labels.names)}")
                else:
                    rules[name] |= override.given()
        if problems:
            raise ConfigError.gather(f"Policy '{self.name}'", problems)
        content = json.dumps(self.model_dump(), sort_keys=True).encode()
        merged = base.model_dump() | {
            "name": self.name if tenant is None else f"{self.name}:{tenant}",
            "version": f"{self.version}+{hashlib.sha256(content).hexdigest()[:8]}",
            "description": self.description or base.description,
            "labels": rules,
            "provenance": self.provenance or base.provenance,
            "perspective": self.perspective or base.perspective,
        }
        return parse(Policy, merged, f"Policy '{self.name}'")


def read_policy_file(path: Path) -> PolicyFile:
    """Reads a policy file; every problem of it is told at once.

    Raises:
        ConfigError: The file is missing, not YAML, or breaks a rule.
    """
    return parse(PolicyFile, read_yaml(path), str(path))


def choose(policies: Mapping[str, Policy], name: str) -> Policy:
    """Returns the policy of that name.

    Raises:
        ConfigError: There is none; names the known ones.
    """
    if name not in policies:
        raise ConfigError(f"Unknown policy '{name}'.{suggest(name, policies)} Or give a YAML file.")
    return policies[name]
