"""The policy's text beside an item: clauses that a decision may rest on."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from crossguard.labels import HATE
from crossguard.strict import StrictModel, parse, read_yaml


class Clause(StrictModel):
    """One rule.

    Attributes:
        id: What a decision names.
        title: A few words.
        text: The rule.
    """

    id: str = Field(pattern=r"^[\w.-]{1,64}$")
    title: str
    text: str = ""


class PolicyText(StrictModel):
    """The file that `policy_text` names."""

    clauses: tuple[Clause, ...] = Field(min_length=1)


def read_clauses(path: Path | None) -> tuple[Clause, ...]:
    """Returns the clauses of a file; without one, a clause per label with its meaning.

    Raises:
        ConfigError: The file is missing or breaks a rule.
    """
    if path is not None:
        return parse(PolicyText, read_yaml(path), str(path)).clauses
    return tuple(Clause(id=label.name, title=label.name, text=f"{label.meaning}.") for label in HATE)
