"""Words that name groups of people, to find posts about a group and to swap one group for another.

Terms follow the identity lists of Dixon et al. 2018 and Borkan et al. 2019. A post that holds a term is about the group
in the crude sense of a word match: good enough to compare rates, not to say what a single post means.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Slot = Literal["adjective", "plural"]


@dataclass(frozen=True, slots=True)
class IdentityGroup:
    """One group."""

    name: str
    axis: str  # what sets the group apart
    adjectives: tuple[str, ...]  # words that stand before a noun or after "is"; the first one is put in when swapping
    plurals: tuple[str, ...]  # words for several members; the first one is put in when swapping

    def form(self, slot: Slot) -> str:
        """Returns the word for one place in a sentence."""
        return self.adjectives[0] if slot == "adjective" else self.plurals[0]


def _identity(name: str, axis: str, adjectives: str, plurals: str) -> IdentityGroup:
    return IdentityGroup(name, axis, tuple(adjectives.split(", ")), tuple(plurals.split(", ")))


IDENTITIES: Mapping[str, IdentityGroup] = MappingProxyType(
    {
        identity.name: identity
        for identity in (
            _identity("women", "gender", "female", "women, girls, ladies, females"),
            _identity("men", "gender", "male", "men, boys, guys, males"),
            _identity("trans", "gender", "transgender, trans, nonbinary", "trans people, transgender people"),
            _identity("gay", "orientation", "gay, homosexual", "gay people, gays, gay men, homosexuals"),
            _identity("lesbian", "orientation", "lesbian", "lesbians"),
            _identity("bisexual", "orientation", "bisexual", "bisexual people, bisexuals"),
            _identity("queer", "orientation", "queer, lgbt, lgbtq", "queer people, LGBT people"),
            _identity("straight", "orientation", "straight, heterosexual", "straight people, heterosexuals"),
            _identity("Muslim", "religion", "Muslim, Islamic", "Muslims"),
            _identity("Jewish", "religion", "Jewish", "Jews, Jewish people"),
            _identity("Christian", "religion", "Christian, Catholic, Protestant", "Christians, Catholics, Protestants"),
            _identity("Hindu", "religion", "Hindu", "Hindus"),
            _identity("Sikh", "religion", "Sikh", "Sikhs"),
            _identity("Buddhist", "religion", "Buddhist, Taoist", "Buddhists, Taoists"),
            _identity("black", "ethnicity", "black, African-American", "black people, blacks, African-Americans"),
            _identity("white", "ethnicity", "white, Caucasian", "white people, whites"),
            _identity("Asian", "ethnicity", "Asian, Chinese, Japanese, Indian", "Asian people, Asians"),
            _identity(
                "Latino", "ethnicity", "Latino, Latina, Latinx, Hispanic, Mexican", "Latinos, Hispanics, Mexicans"
            ),
            _identity("African", "ethnicity", "African", "Africans"),
            _identity("European", "ethnicity", "European, Canadian, American", "Europeans, Canadians, Americans"),
            _identity("Arab", "ethnicity", "Arab, middle eastern", "Arabs"),
            _identity("immigrant", "origin", "immigrant, foreign", "immigrants, migrants, refugees, foreigners"),
            _identity("disabled", "disability", "disabled, blind, deaf, paralyzed", "disabled people, deaf people"),
            _identity("old", "age", "elderly, old, older, aged", "elderly people, old people"),
            _identity("young", "age", "young, younger, teenage, millennial, millenial", "young people, teenagers"),
        )
    }
)
# Words of a dialect that classifiers have flagged too often (Sap et al. 2019); spellings common on social media.
DIALECT = "ain't, aint, finna, tryna, gon, imma, ima, y'all, yall, bruh, homie, deadass, wit, dat, dis, dem, ion"
# Once slurs, now also used by the people they were meant for.
RECLAIMED = "queer, dyke, crip, bitches, hoes"
DIALECT_GROUP, RECLAIMED_GROUP = "dialect words", "reclaimed terms"


@dataclass(frozen=True, slots=True)
class Mention:
    """A term found in a text."""

    group: str
    slot: Slot
    start: int
    end: int


def mentions(text: str) -> list[Mention]:
    """Finds the identity terms of a text, longest terms first, in the order of the text."""
    table, pattern = _terms()
    return [Mention(*table[match[0].lower()], *match.span()) for match in pattern.finditer(text)]


def members(texts: Iterable[str]) -> dict[str, NDArray[np.bool_]]:
    """Returns, per group, which texts name it, (n,); texts with dialect words or reclaimed terms are groups as well."""
    listed = list(texts)
    named = [{mention.group for mention in mentions(text)} for text in listed]
    found = {group: np.array([group in names for names in named]) for group in IDENTITIES}
    for group, words in ((DIALECT_GROUP, DIALECT), (RECLAIMED_GROUP, RECLAIMED)):
        pattern = _pattern(words.split(", "))
        found[group] = np.array([pattern.search(text) is not None for text in listed])
    return {group: rows for group, rows in found.items() if rows.any()}


def swap(text: str, mention: Mention, group: str) -> str:
    """Returns the text with one term replaced by another group's, capitalised where a sentence starts."""
    word = IDENTITIES[group].form(mention.slot)
    before = text[: mention.start].rstrip()
    if text[mention.start].isupper() and (not before or before[-1] in ".!?"):
        word = word[0].upper() + word[1:]
    return text[: mention.start] + word + text[mention.end :]


@cache
def _terms() -> tuple[dict[str, tuple[str, Slot]], re.Pattern[str]]:
    table: dict[str, tuple[str, Slot]] = {}
    for identity in IDENTITIES.values():
        table |= {term.lower(): (identity.name, "adjective") for term in identity.adjectives}
        table |= {term.lower(): (identity.name, "plural") for term in identity.plurals}
    return table, _pattern(list(table))


def _pattern(terms: Sequence[str]) -> re.Pattern[str]:
    longest_first = sorted(terms, key=len, reverse=True)
    # Of the terms, only ASCII letters match in either case: "\u017f" is an "s" to Unicode, but not to `lower`.
    return re.compile(rf"(?<!\w)(?a:{'|'.join(map(re.escape, longest_first))})(?!\w)", re.IGNORECASE)
