"""Words that name groups of people, to find posts about a group and to swap one group for another.

Terms follow the identity lists of Dixon et al. 2018 and Borkan et al. 2019. A post that holds a term is about the group
in the crude sense of a word match: good enough to compare rates, not to say what a single post means.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Slot = Literal["adjective", "plural"]


# Per group the words that stand before a noun or after "is", and those for several members; the first of each is put in
# when swapping.
_TERMS = {
    "women": ("female", "women, girls, ladies, females"),
    "men": ("male", "men, boys, guys, males"),
    "trans": ("transgender, trans, nonbinary", "trans people, transgender people"),
    "gay": ("gay, homosexual", "gay people, gays, gay men, homosexuals"),
    "lesbian": ("lesbian", "lesbians"),
    "bisexual": ("bisexual", "bisexual people, bisexuals"),
    "queer": ("queer, lgbt, lgbtq", "queer people, LGBT people"),
    "straight": ("straight, heterosexual", "straight people, heterosexuals"),
    "Muslim": ("Muslim, Islamic", "Muslims"),
    "Jewish": ("Jewish", "Jews, Jewish people"),
    "Christian": ("Christian, Catholic, Protestant", "Christians, Catholics, Protestants"),
    "Hindu": ("Hindu", "Hindus"),
    "Sikh": ("Sikh", "Sikhs"),
    "Buddhist": ("Buddhist, Taoist", "Buddhists, Taoists"),
    "black": ("black, African-American", "black people, blacks, African-Americans"),
    "white": ("white, Caucasian", "white people, whites"),
    "Asian": ("Asian, Chinese, Japanese, Indian", "Asian people, Asians"),
    "Latino": ("Latino, Latina, Latinx, Hispanic, Mexican", "Latinos, Hispanics, Mexicans"),
    "African": ("African", "Africans"),
    "European": ("European, Canadian, American", "Europeans, Canadians, Americans"),
    "Arab": ("Arab, middle eastern", "Arabs"),
    "immigrant": ("immigrant, foreign", "immigrants, migrants, refugees, foreigners"),
    "disabled": ("disabled, blind, deaf, paralyzed", "disabled people, deaf people"),
    "old": ("elderly, old, older, aged", "elderly people, old people"),
    "young": ("young, younger, teenage, millennial, millenial", "young people, teenagers"),
}
IDENTITIES: Mapping[str, Mapping[Slot, Sequence[str]]] = {
    group: {"adjective": adjectives.split(", "), "plural": plurals.split(", ")}
    for group, (adjectives, plurals) in _TERMS.items()
}
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
    word = IDENTITIES[group][mention.slot][0]
    before = text[: mention.start].rstrip()
    if text[mention.start].isupper() and (not before or before[-1] in ".!?"):
        word = word[0].upper() + word[1:]
    return text[: mention.start] + word + text[mention.end :]


@cache
def _terms() -> tuple[dict[str, tuple[str, Slot]], re.Pattern[str]]:
    table: dict[str, tuple[str, Slot]] = {
        term.lower(): (group, slot)
        for group, forms in IDENTITIES.items()
        for slot, terms in forms.items()
        for term in terms
    }
    return table, _pattern(list(table))


def _pattern(terms: Sequence[str]) -> re.Pattern[str]:
    longest_first = sorted(terms, key=len, reverse=True)
    # Of the terms, only ASCII letters match in either case: "\u017f" is an "s" to Unicode, but not to `lower`.
    return re.compile(rf"(?<!\w)(?a:{'|'.join(map(re.escape, longest_first))})(?!\w)", re.IGNORECASE)
