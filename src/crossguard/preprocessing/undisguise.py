"""What a disguised text says: a second reading, scored beside the text as it was written, or instead of it.

Letters that look alike, signs or spaces inside words, digits for letters, letters repeated, words joined, mirrored or
misspelt: each is undone where the result is made of words that the tokenizer knows. An ordinary text has no second
reading and costs a few microseconds. A disguise by itself looks hostile to a model, so that harmless words in one are
flagged more often; where the reading is certain, it alone is scored.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Final, TypeAlias

from crossguard.preprocessing.disguises.letters import forward, latin, once, upright
from crossguard.preprocessing.disguises.lexicon import Lexicon, variants
from crossguard.preprocessing.disguises.patterns import (
    EMOJI_WITHIN,
    LETTER,
    LONG_RUN,
    MOST,
    SIGN,
    SPACED,
    SPREAD,
    words_of,
)
from crossguard.preprocessing.disguises.signs import (
    CLAPS,
    LEET,
    SYMBOL,
    hides_another,
    joined,
    spelt,
    starred,
    without_emoji,
    without_signs,
)
from crossguard.preprocessing.disguises.spelling import (
    capitals,
    compounds,
    corrected,
    glued,
    misspelt,
    no_chance,
    respaced,
    sentences,
)
from crossguard.preprocessing.normalization import BLOCK_TAG, INLINE_TAG, RETWEET, URL, as_shown, without_padding

# A longer text is read in stretches of so many characters, since some steps look at all of a text at once,
STRETCH: Final = 8192
# and of one that is longer still, the beginning and the end.
MOST_CHARACTERS: Final = 4 * STRETCH
FEW_MENTIONS: Final = 2
# An address of mail joins two words, one of another server three: of more that are known, a sentence is made.
FEWEST_JOINED: Final = 3
# What share of its letters a reading must have more in known words than the text, to be scored instead of it; and where
# it is partly guessed, so that one unusual word of an ordinary text is not lost.
CLEARER, GUESS_CLEARER = 0.1, 0.4
# How many words a guess must have found: a few unknown ones are slang, names or another language.
MOST_UNKNOWN: Final = 3
OVERRIDE: Final = re.compile("\u202e([^\u202c\n]*)\u202c?")
# With the letters before it, since the sign may be one of them; a run of letters is looked at once, from its beginning.
MENTION: Final = re.compile(r"(?<![^\W_])(?<![$|+\u20ac])[^\W_]*+(?:@\w++(?![$|\u20ac]))++|(\[USER\])", re.IGNORECASE)
# Groups and slurs that hardly anybody is called, unlike Christian, Jihad or Dick: an `@` before one only hides it.
_NO_NAMES = (
    "africans arabs asians blacks christians gays gypsies hindus immigrants indians jews lesbians mexicans muslims "
    "muzzies queers refugees whites women beaner beaners chink chinks coons cripples cunt cunts dykes fag faggot "
    "faggots fags gooks kike kikes mongs nigga niggas nigger niggers niglet pakis raghead ragheads retard retards "
    "shemale shemales spastics spics towelhead towelheads trannies tranny twats wetback wetbacks whore whores"
)
NO_NAMES: Final = frozenset(_NO_NAMES.split())
# Of people and forums on Reddit, whose names are no sentences: `HELD` stands for each while a disguise is undone.
REDDIT_NAME: Final = re.compile(r"(?<![\w/])/?[ur]/[A-Za-z][\w-]{2,}(?![\w/])")
HELD: Final = "\x1a"
REPLIED_TO: Final = re.compile(r"\A(?:[.\s]*@\w+)+")
# Markdown's signs of lists, headings and code, and those around what is set off.
LIST_SIGN: Final = re.compile(
    r"^[ \t]*(?:(?:[-*+\u2022]|#{1,6}|\d{1,3}[.)])[ \t]+|(?:```|~~~)(?P<unseen>\w{0,20})[ \t]*$)", re.MULTILINE
)
SET_OFF: Final = re.compile(
    r"(?<![\w*_`~|])(\*{1,3}|_{1,2}|`{1,3}|~~|\|\|)(?=\S)([^*_~|`\n]{1,500})(?<=\S)\1(?![\w*_`~|])"
)
# The beginning of a word; what stands behind another letter may be a hidden one.
SET_OFF_WITHIN: Final = re.compile(r"(?<![\w*])\*\*(\w{1,20})\*\*(?=\w)")
LINKED: Final = re.compile(r"!?\[([^\[\]\n]{1,300})\]\((?P<unseen>[^()\s]{0,500})\)")
BBCODE: Final = re.compile(
    r"\[/?(?:b|i|u|s|url|quote|size|color|img|code|list|center|spoiler|font)(?P<unseen>[=:][^\[\]\n]{0,100})?\]",
    re.IGNORECASE,
)
COMMENT: Final = re.compile(r"<!--(?P<unseen>[^<>]{0,500})-->")
# What Discord and Slack write for people, channels, times and emoji.
TOKEN: Final = re.compile(
    r"(?P<unseen><a?:\w{1,40}:\d{5,25}>|<[@#!][!&]?[\w|.^-]{1,60}>)|<t:\d{1,20}(?::\w)?>",
)
# In the order in which it is taken out: what a text with it holds, and what stays. Where it is shown as it was written,
# the group `unseen` may have words in it.
MARKUP: Final = (
    ("<", COMMENT, ""),
    ("<", TOKEN, " "),
    ("<", INLINE_TAG, ""),
    ("<", BLOCK_TAG, " "),
    ("](", LINKED, r"\1"),
    ("[/", BBCODE, ""),  # else letters in brackets, as in [b]read
    ("**", SET_OFF_WITHIN, r"\1"),
    ("", LIST_SIGN, ""),
    ("", SET_OFF, r"\2"),
)
# One word in quotation marks.
QUOTED: Final = re.compile(
    r"""(?<!\S)["'`\u201c\u2018\u00ab](\w[^\s"'`]{0,40}?)["'`\u201d\u2019\u00bb]([.,?!;:]*)(?!\S)"""
)
FEW_QUOTED: Final = 3
# What an ordinary text has none of; everything else is skipped.
SUSPECT: Final = re.compile(
    # What begins with a letter is one alternative, which looks at the character behind it once.
    rf"{LETTER}(?:(?:[*#%?_@$!|+(0-9]+|(?!['\u2019]){SIGN}|[\])}}]+[\[({{]+){LETTER}|\*\*"
    rf"|(?<!{LETTER}{LETTER})(?:{SIGN}{{2,3}}{LETTER}{SIGN}{{1,3}}{LETTER}|{SPREAD}))"
    rf"|[@$]{LETTER}|{LONG_RUN.pattern}|{SPACED.pattern}|{EMOJI_WITHIN.pattern}"
    "|[^\x00-\x7f\u2000-\u206f\u2190-\u245f\u2500-\u2bff\ufe0f\U0001f300-\U0001faff]"
)
Step: TypeAlias = Callable[[str, Lexicon], str]
# In this order: each takes and gives a whole text.
STEPS: Final[tuple[Step, ...]] = (
    upright,
    latin,
    capitals,
    joined,
    without_emoji,
    spelt,
    starred,
    without_signs,
    once,
    forward,
    respaced,
    sentences,
    compounds,
    corrected,
)
# Steps that turn all of a text round, also words in it that are ones only as they stand.
TURNS: Final = frozenset({upright, forward})
# A word that no sign joins to letters, and words that an apostrophe, a hyphen or a slash joins.
STANDING: Final = re.compile(
    r"(?<!\w)(?<!\w[^\w\s])[a-z]++(?:['\u2019/-][a-z]{3,}|['\u2019][a-z]{1,2}(?![a-z]))*+(?!\w|[^\w\s]\w)"
)
WHOLE_WORD: Final = re.compile(r"""(?<![^\s("'])[a-z]{3,}(?![^\s.,?!;:)"'])""")
# Steps that may find another word than the one that was meant.
SPELLING: Final = frozenset({respaced, sentences, compounds, corrected})
GUESSES: Final = SPELLING | {starred}


@dataclass(frozen=True, slots=True)
class Reading:
    """What a disguised text says."""

    text: str  # with the disguise undone
    # Whether the text as written says nothing else: none of it was left out, and the reading is clearly better made of
    # known words, the more so where it is guessed
    certain: bool
    guessed: bool = False  # whether words were found that may be others than those that were meant
    ordered: bool = True  # whether its words stand in the order of those of the text


def undisguise(text: str, lexicon: Lexicon) -> Reading | None:
    """Returns what a disguised text says, or None where nothing was undone.

    Args:
        text: As it was written.
        lexicon: Words that the text can be made of.
    """
    if len(text) <= STRETCH:
        return _undisguised(text, lexicon)
    text = without_padding(text)
    if len(text) > MOST_CHARACTERS:
        text = f"{text[: MOST_CHARACTERS - STRETCH]} {text[-STRETCH:]}"
    pieces = list(_pieces(text))
    readings = [_undisguised(piece, lexicon) for piece in pieces]
    if not any(readings):
        return None
    said = (reading.text if reading else piece for reading, piece in zip(readings, pieces, strict=True))
    return Reading(" ".join(said), certain=False)


def foreign(text: str, lexicon: Lexicon) -> Reading | None:
    """Returns what a text in another language says, of which no word is misspelt: only where a word of hate is found.

    Args:
        text: As it was written.
        lexicon: Words of the language in which hate may be disguised.
    """
    read, names = _held(_seen(as_shown(text), lexicon)[0])
    if not SUSPECT.search(read):
        return None
    for step in STEPS:
        read = read if step in SPELLING else step(read, lexicon)
    read = _given_back(read, names)
    found = lexicon.starred.intersection(words_of(read)).difference(words_of(text))
    return Reading(read, certain=False, guessed=True) if found else None


def _pieces(text: str) -> Iterator[str]:
    """Cuts a text into stretches, between words where it has any."""
    start = 0
    while start < len(text):
        stop = start + STRETCH
        space = max(text.rfind(gap, start, stop) for gap in " \n") if stop < len(text) else -1
        stop = space + 1 if space > start else stop
        yield text[start:stop]
        start = stop


def _undisguised(text: str, lexicon: Lexicon) -> Reading | None:
    seen, certain = _seen(as_shown(text), lexicon)
    read, names = _held(seen)
    guessed, ordered = False, "\u202e" not in text
    if not SUSPECT.search(read) and not misspelt(read, lexicon) and not glued(read, lexicon):
        if seen == text or _squeezed(seen) == _squeezed(text):
            return None
        certain = certain and words_of(seen) == words_of(_without_markup(text)[0])
        return Reading(seen, certain, guessed, ordered)
    for step in STEPS:
        before, read = read, step(read, lexicon)
        if read != before:
            ordered = ordered and step not in TURNS
            guessed = guessed or (step in GUESSES and not (step is starred and _letters(before) == _letters(read)))
            certain = certain and _loses_nothing(step, before, read, lexicon)
    read = _given_back(read, names)
    if _squeezed(read) == _squeezed(text):
        return None
    words, written = words_of(read), words_of(text)
    clearer = GUESS_CLEARER if guessed else CLEARER
    certain = certain and (_spoken(words) == _spoken(written) or _gain(words, text, lexicon) >= clearer)
    if not lexicon.starred.isdisjoint(_lost(seen, words)):
        certain = False
    if guessed and len(set(words) - set(written)) <= MOST_UNKNOWN:
        certain = False
    return Reading(read, certain, guessed, ordered)


def _held(text: str) -> tuple[str, list[str]]:
    """Returns a text with `HELD` for each name of Reddit, and the names."""
    names = REDDIT_NAME.findall(text) if "u/" in text or "r/" in text else []
    return REDDIT_NAME.sub(HELD, text) if names else text, names


def _given_back(text: str, names: list[str]) -> str:
    """Returns a text with the names of Reddit in their places again."""
    for name in names:
        text = text.replace(HELD, name, 1)
    return text


def _spoken(words: list[str]) -> list[str]:
    """Returns the words of a text without the letters that a stammer sets before them."""
    return [word for word, after in zip(words, [*words, ""][1:], strict=True) if len(word) > 1 or word != after[:1]]


def _gain(words: list[str], text: str, lexicon: Lexicon) -> float:
    """Returns what share of its letters a reading has more in known words than the text; -1 if not most of them are."""
    standing = [part for match in STANDING.finditer(text.lower()) for part in words_of(match[0])]
    letters = sum(map(len, words))
    # Of letters in another style or script, or with signs in them, nothing is known: only those of the reading tell how
    # many there are.
    before = lexicon.known(standing) * sum(map(len, standing)) / max(letters, 1)
    known = lexicon.known(words)
    return known - before if known >= MOST else -1.0


def _loses_nothing(step: Step, before: str, read: str, lexicon: Lexicon) -> bool:
    """Returns whether no words are gone that the text before a step may have been meant to say."""
    if step is without_emoji:  # they may say something
        return not SYMBOL.search(CLAPS.sub(" ", before))
    if step in {spelt, without_signs}:
        return not hides_another(before, words_of(read), lexicon)
    if step is respaced:  # of misspelt words, others can be made
        return no_chance(words_of(read), lexicon)
    if step not in TURNS:
        return True
    return not any(word in lexicon and word[::-1] not in lexicon for word in _lost(before, words_of(read)))


def _letters(text: str) -> str:
    return "".join(words_of(text))


def _lost(text: str, read: list[str]) -> set[str]:
    """Returns the words that stand whole in a text and are not among those of its reading."""
    return set(WHOLE_WORD.findall(text.lower())).difference(read)


def _squeezed(text: str) -> str:
    return " ".join(text.casefold().split())


def _seen(text: str, lexicon: Lexicon) -> tuple[str, bool]:
    """Removes what is not shown or said, and shows in order what a direction mark turns round.

    Returns:
        The text, and whether no words were left out with markup.
    """
    text, whole = _without_markup(OVERRIDE.sub(lambda match: match[1][::-1], text))
    text = RETWEET.sub("", URL.sub(" ", text))
    # Those before the first word are whom a reply goes to.
    many = REPLIED_TO.sub("", text).count("@") > FEW_MENTIONS

    def mention(match: re.Match[str]) -> str:
        said = match[0].split("@")
        if said[0] and len(said) > FEWEST_JOINED and all(word.lower() in lexicon for word in said):
            return " ".join(said)
        before, _, name = match[0].removeprefix(match[1] or "").partition("@")
        word = lexicon.best(variants(match[0].lower(), LEET))
        if word is not None and (before or name.lower() not in lexicon or lexicon.common(word)):
            return match[0]
        if not before and name.lower() in NO_NAMES:
            return name
        return before + (" " if many else " user ")

    text = MENTION.sub(mention, text)
    quoted = len(QUOTED.findall(text))
    if quoted >= FEW_QUOTED and quoted > MOST * len(text.split()):
        text = QUOTED.sub(r"\1\2", text)
    return (text if text.isprintable() else "".join(map(_shown, text))), whole


def _without_markup(text: str) -> tuple[str, bool]:
    whole = True
    for sign, pattern, kept in MARKUP:
        if sign in text:
            if "unseen" in pattern.groupindex:
                whole = whole and not any(map(_leaves_words_out, pattern.finditer(text)))
            text = pattern.sub(kept, text)
    return text, whole


def without_markup_in_place(text: str) -> str:
    """Returns a text with spaces for its markup, so that every other character keeps its place."""
    for sign, pattern, kept in MARKUP:
        if sign in text:
            group = int(kept[1:]) if kept.startswith("\\") else None
            text = pattern.sub(partial(_blank, kept=group), text)
    return text


def _blank(match: re.Match[str], kept: int | None) -> str:
    if kept is None:
        return " " * len(match[0])
    before, behind = match.start(kept) - match.start(), match.end() - match.end(kept)
    return f"{' ' * before}{match[kept]}{' ' * behind}"


def _leaves_words_out(match: re.Match[str]) -> bool:
    # Links are left out of every text.
    return any(map(str.isalpha, URL.sub("", match["unseen"] or "")))


def _shown(character: str) -> str:
    return " " if character.isspace() else character if character.isprintable() else ""
