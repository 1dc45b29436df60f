"""What becomes of a comment in a language that the model was not made for: Google's error, or scores that say so."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from crossguard.serving.errors import BadRequest
from crossguard.serving.settings import ServeSettings


class LanguageNotSupportedError(BadRequest, code="language_not_supported_by_attribute"):
    """The model was not made for the language of a comment; in Google's words, which clients look for."""

    def __init__(self, language: str, attributes: Iterable[str], known: Sequence[str]) -> None:
        name = next(iter(attributes))[:80]
        super().__init__(
            f"Attribute {name} does not support request languages: {language[:20]}. Supported: {', '.join(known)}. "
            "To get scores with a mark all the same: crossguard serve --perspective-languages mark"
        )


def declared_other(declared: Sequence[str], known: Collection[str]) -> str:
    """Returns the first language that a request declares, where it declares some and the model knows none of them.

    A request that declares several, such as a forum's two, is about a comment in any of them.
    """
    return "" if any(primary(language) in known for language in declared) else next(iter(declared), "")


def primary(language: str) -> str:
    """Returns the language of a tag without its region: `en` of `en-US`, and of `en_US` as Android and PHP write it."""
    return language.replace("_", "-").partition("-")[0].lower()


def check_language(other: str, attributes: Iterable[str], settings: ServeSettings) -> None:
    """Refuses a comment in another language, where the operator did not choose marks instead.

    Raises:
        LanguageNotSupportedError: `other` names one.
    """
    if other and settings.perspective_languages == "error":
        raise LanguageNotSupportedError(other, attributes, settings.languages)
