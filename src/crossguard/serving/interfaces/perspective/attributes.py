"""Which of Perspective's attributes a model can answer, with which number, and for comments in which languages."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from crossguard.labels import UNION, perspective_names
from crossguard.moderator import Moderator
from crossguard.records import Decision
from crossguard.serving.call import Call
from crossguard.serving.errors import BadRequest
from crossguard.serving.hate import union_score
from crossguard.serving.settings import primary

Missing: TypeAlias = Literal["error", "omit", "estimate"]

# What stands in for an attribute that a model lacks, nearest first.
NEIGHBOURS: Final[Mapping[str, tuple[str, ...]]] = {
    "TOXICITY": ("INSULT", UNION),
    "SEVERE_TOXICITY": ("TOXICITY", UNION),
    "INSULT": ("TOXICITY", UNION),
    "THREAT": ("SEVERE_TOXICITY", "TOXICITY", UNION),
    "PROFANITY": ("TOXICITY", "INSULT"),
    "SEXUALLY_EXPLICIT": ("PROFANITY", "TOXICITY"),
    UNION: ("TOXICITY", "INSULT"),
    "ATTACK_ON_AUTHOR": ("INSULT", "TOXICITY"),
    "ATTACK_ON_COMMENTER": ("INSULT", "TOXICITY"),
    "INFLAMMATORY": ("TOXICITY",),
    "OBSCENE": ("PROFANITY", "TOXICITY"),
    "LIKELY_TO_REJECT": ("TOXICITY",),
}
GOOGLE_VERSION: Final = re.compile(r"\d+")
MAX_ATTRIBUTES: Final = 100
"""Most attributes of a request; each is answered for each of its sentences."""


@dataclass(frozen=True, slots=True)
class Answerable:
    """What will be answered."""

    sources: dict[str, str]  # by the name that was asked for: the attribute of the model whose score it gets
    estimated: dict[str, str]  # names whose score is another attribute's, with that attribute
    omitted: list[str]  # names that get no score


def known_attributes(moderator: Moderator) -> tuple[str, ...]:
    """Returns the attributes that a model can score: its own, its labels, and the union of kinds of hate."""
    return perspective_names(moderator.labels, moderator.bundle.manifest.attributes)


def attribute_score(decision: Decision, attribute: str) -> float:
    """Returns the score of an attribute that `known_attributes` names."""
    name = attribute.lower()
    if name in decision.attributes:
        return decision.attributes[name]
    if name in decision.labels:
        return decision.labels[name].score
    union = union_score(decision)
    assert union is not None
    return union


def answerable(requested: Mapping[str, object], moderator: Moderator, missing: Missing) -> Answerable:
    """Returns what can be answered of a request.

    Args:
        requested: By name, perhaps with a version behind an `@`.
        moderator: What is served.
        missing: What becomes of an attribute that the model lacks.

    Raises:
        BadRequest: Nothing is requested, or too much.
    """
    if not 1 <= len(requested) <= MAX_ATTRIBUTES:
        raise BadRequest(f"requestedAttributes: 1 to {MAX_ATTRIBUTES} are needed.", code="no_requested_attributes")
    known = known_attributes(moderator)
    found = Answerable({}, {}, [])
    for asked in requested:
        name, _, version = asked.partition("@")
        _check_version(version, moderator)
        if name in known:
            found.sources[asked] = name
        elif missing == "estimate" and (nearest := estimate_of(name, known)) is not None:
            found.sources[asked] = found.estimated[asked] = nearest
        elif missing == "error":
            raise _unsupported(name, known)
        else:
            found.omitted.append(asked)
    if not found.sources:
        raise _unsupported(found.omitted[0].partition("@")[0], known)
    return found


def estimate_of(name: str, known: tuple[str, ...]) -> str | None:
    """Returns the attribute that is nearest to one that a model lacks; None where a number would be a guess."""
    plain = name.removesuffix("_EXPERIMENTAL")
    return next((candidate for candidate in (plain, *NEIGHBOURS.get(plain, ())) if candidate in known), None)


def _check_version(version: str, moderator: Moderator) -> None:
    """Lets Google's own numbers pass, which no other service has, and checks those of Crossguard."""
    model = moderator.bundle.manifest.model
    known = {"", model.version, f"{model.name}-{model.version}"}
    if version not in known and not GOOGLE_VERSION.fullmatch(version):
        raise BadRequest(
            f"Version '{version[:40]}' is not served. Served: {model.name}-{model.version}. Start another service with "
            "the bundle of that version, or leave the version out.",
            code="attribute_version_not_supported",
        )


def _unsupported(name: str, known: tuple[str, ...]) -> BadRequest:
    told = f"Attribute {name[:80]} is not supported by this model. Supported: {', '.join(known)}."
    return BadRequest(told, code="attribute_not_supported")


def declared_other(declared: Sequence[str], known: Collection[str]) -> str:
    """Returns the first language that a request declares, where it declares some and the model knows none of them.

    A request that declares several, such as a forum's two, is about a comment in any of them.
    """
    return "" if any(primary(language) in known for language in declared) else next(iter(declared), "")


def known_languages(call: Call) -> Sequence[str]:
    """Returns the languages of comments that a caller gets scores for."""
    return call.settings.languages or call.moderator.bundle.manifest.languages or ("en",)


def check_language(other: str, attributes: Iterable[str], call: Call) -> None:
    """Raises BadRequest where `other` names a language, and the operator did not choose marks instead."""
    if other and call.settings.perspective_languages == "error":
        raise language_not_supported(other, attributes, known_languages(call))


def language_not_supported(language: str, attributes: Iterable[str], known: Iterable[str]) -> BadRequest:
    """Returns the error of a comment in another language; in Google's words, which clients look for."""
    return BadRequest(
        f"Attribute {next(iter(attributes))[:80]} does not support request languages: {language[:20]}. Supported: "
        f"{', '.join(known)}. To get scores with a mark all the same: crossguard serve "
        "--perspective-languages mark",
        code="language_not_supported_by_attribute",
    )
