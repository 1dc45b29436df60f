"""What a model predicts: the labels, their order and their meaning.

This is the only module that turns a label into a column number.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

from crossguard.errors import ConfigError, suggest


@dataclass(frozen=True, slots=True)
class Label:
    """One thing a post can be scored for."""

    name: str  # the word used in every file, API and table
    meaning: str = ""  # one sentence for a moderator
    # Share of posts that carry the label in the data the model was made for, in [0, 1], or None
    prior: Annotated[float | None, Field(ge=0, le=1)] = None  # checked where a manifest is read


@dataclass(frozen=True, slots=True)
class LabelSet:
    """Labels in their column order."""

    labels: tuple[Label, ...]

    def __post_init__(self) -> None:
        names = self.names
        if not names:
            raise ConfigError("A label set needs at least one label.")
        doubled = sorted({name for name in names if names.count(name) > 1})
        if doubled:
            raise ConfigError(f"Label names must differ; given twice: {', '.join(doubled)}.")

    @classmethod
    def of(cls, *names: str) -> LabelSet:
        """Builds a set from bare names."""
        return cls(tuple(Label(name) for name in names))

    @property
    def names(self) -> tuple[str, ...]:
        """The label names in column order."""
        return tuple(label.name for label in self.labels)

    def column(self, name: str) -> int:
        """Returns the column of a label.

        Raises:
            ConfigError: The set has no such label.
        """
        try:
            return self.names.index(name)
        except ValueError:
            raise ConfigError(f"Unknown label '{name}'.{suggest(name, self.names)}") from None

    def __len__(self) -> int:
        return len(self.labels)

    def __iter__(self) -> Iterator[Label]:
        return iter(self.labels)


# Priors: shares of the 134,823 train posts of MMHS150K, union of three annotators, as recorded by the reference.
HATE = LabelSet(
    (
        Label("racist", "Attacks people for their race, ethnicity or origin", 0.3263),
        Label("sexist", "Attacks people for their gender", 0.1205),
        Label("homophobe", "Attacks people for their sexual orientation or gender identity", 0.0764),
        Label("religion", "Attacks people for their religion", 0.0153),
        Label("otherhate", "Attacks people for another reason, such as disability, class or politics", 0.1562),
    )
)

ATTRIBUTES = ("toxicity", "severe_toxicity", "insult", "threat", "profanity", "identity_attack")
"""Attributes of Jigsaw's annotations that a model may score beside its labels; no label's decision reads them."""

UNION = "IDENTITY_ATTACK"
"""What Perspective calls hate against people for who they are, of any kind; our labels tell its kinds apart."""


def perspective_names(labels: LabelSet, attributes: Iterable[str]) -> tuple[str, ...]:
    """Returns what a model has a score for, as Perspective writes it: the union, its attributes, and its labels."""
    union = () if set(labels.names).isdisjoint(HATE.names) else (UNION,)
    return tuple(dict.fromkeys([*union, *(name.upper() for name in (*attributes, *labels.names))]))
