"""What a disguised text says: a second reading, scored beside the text as it was written, or instead of it.

Letters that look alike, signs or spaces inside words, digits for letters, letters repeated, words joined, mirrored or
misspelt: each is undone where the result is made of words that the tokenizer knows. An ordinary text has no second
reading and costs a few microseconds. A disguise by itself looks hostile to a model, so that harmless words in one are
flagged more often; where the reading is certain, it alone is scored.
"""

from __future__ import annotations

import html
import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from crossguard.preprocessing.lexicon import WORD, Lexicon, variants
from crossguard.preprocessing.lookalikes import FIRST, SURE, TURNED, UNSURE, UPSIDE_DOWN, unstyled
from crossguard.preprocessing.normalization import MENTION, RETWEET, URL

# Of a longer text, the beginning and the end are read.
MOST_CHARACTERS: Final = 8192
FEW, HALF, MOST = 1 / 3, 0.5, 0.75
FEW_MENTIONS: Final = 2
# By how much more of its letters a reading must stand in known words to be scored instead of the text.
CLEARER: Final = 0.1
# Misspelt words of one text that are corrected at most.
MOST_CORRECTIONS: Final = 64

LETTER: Final = r"[^\W\d_]"
SIGN: Final = r"(?:[^\w\s]|_)"
OVERRIDE: Final = re.compile("\u202e([^\u202c\n]*)\u202c?")
REPLIED_TO: Final = re.compile(r"\A(?:[.\s]*@\w+)+")
TAG: Final = re.compile(r"</?[A-Za-z][^<>]{0,30}>")
# One word in quotation marks.
QUOTED: Final = re.compile(
    r"""(?<!\S)["'`\u201c\u2018\u00ab](\w[^\s"'`]{0,40}?)["'`\u201d\u2019\u00bb]([.,?!;:]*)(?!\S)"""
)
FEW_QUOTED: Final = 3
SYMBOL_SET: Final = "[\u2190-\u2bff\U0001f000-\U0001faff]"
SYMBOL: Final = re.compile(f"{SYMBOL_SET}+")
# Letters with the same kind of sign between them, or with one space.
APART: Final = re.compile(rf"(?<!{LETTER}){LETTER}(?:{SIGN}{{1,3}}{LETTER}){{2,}}(?!{LETTER})")
PAIR_APART: Final = re.compile(rf"(?<!{LETTER}){LETTER}{SIGN}{{1,3}}{LETTER}(?!{LETTER})")
SPACED: Final = re.compile(rf"(?<!\w){LETTER}(?: {LETTER}){{2,}}(?!\w)")
PAIR_SPACED: Final = re.compile(rf"(?<!\w){LETTER} {LETTER}(?!\w)")
# Each run is tried from its start only: from all of its places, a search takes quadratic time.
WORD_LIKE: Final = re.compile(rf"^{SIGN}+|(?<!{SIGN}){SIGN}+$")
# A letter behind four symbols.
EMOJI_WITHIN: Final = re.compile(rf"\A(?:[^{SYMBOL_SET[1:-1]}]*+{SYMBOL_SET}){{4}}[\W\d_]*+{LETTER}")
SIGNS: Final = re.compile(rf"{SIGN}+")
INNER: Final = re.compile(rf"(?<!{LETTER}){LETTER}++(?:{SIGN}{{1,4}}{LETTER}++)+")
HIDDEN: Final = re.compile(r"[a-z]+[*#%?_][a-z]+")
LEET: Final = {
    "4": "a", "@": "a", "3": "e", "\u20ac": "e", "1": "il", "!": "i", "|": "li", "0": "o", "5": "s", "$": "s",
    "7": "t", "+": "t", "8": "b", "9": "g", "2": "z", "(": "c",
}  # fmt: skip
PUNCTUATION: Final = ".,?!;:)\"'"
LEET_SIGN: Final = re.compile(r"[0-9@$!|+(\u20ac]")
INSIDE: Final = re.compile(r"[a-z][013457@$!|]+[a-z]")
# Ordinals, amounts, versions and names of products, which are not words in digits.
NUMBER: Final = re.compile(r"\d+[a-z]{1,3}|[a-z]{1,3}\d+|.*\d{3,}.*")
TOKEN: Final = re.compile(r"\S+")
RUN: Final = re.compile(r"([a-z])\1+")
LONG_RUN: Final = re.compile(r"([A-Za-z])\1{2}")
GLUED: Final = 12
SENTENCE: Final = 20
SHORTEST: Final = 3
# Fewer letters around a sign are `p.m.`, `f(x)` or `a_b`.
SHORT: Final = 4
# What an ordinary text has none of; everything else is skipped.
SUSPECT: Final = re.compile(
    rf"{LETTER}[*#%?_@$!|+(0-9]+{LETTER}|[@$]{LETTER}|{LONG_RUN.pattern}|{SPACED.pattern}"
    rf"|{LETTER}(?!['\u2019]){SIGN}{LETTER}|{LETTER}[\])}}]+[\[({{]+{LETTER}|{EMOJI_WITHIN.pattern}"
    "|[^\x00-\x7f\u2000-\u206f\u2190-\u245f\u2500-\u2bff\ufe0f\U0001f300-\U0001faff]"
)


@dataclass(frozen=True, slots=True)
class Reading:
    """What a disguised text says.

    Attributes:
        text: With the disguise undone.
        certain: Whether the text as written says nothing else: none of it was left out or guessed, and the reading is
            clearly better made of known words.
    """

    text: str
    certain: bool


def undisguise(text: str, lexicon: Lexicon) -> Reading | None:
    """Returns what a disguised text says, or None where nothing was undone.

    Args:
        text: As it was written.
        lexicon: Words that the text can be made of.
    """
    certain = len(text) <= MOST_CHARACTERS
    if not certain:
        tail = MOST_CHARACTERS // 4
        text = f"{text[: MOST_CHARACTERS - tail]} {text[-tail:]}"
    seen = read = _seen(text, lexicon)
    if not SUSPECT.search(seen) and not _misspelt(seen, lexicon) and not _glued(seen, lexicon):
        return None if len(seen) == len(text) else Reading(seen, certain=False)
    for step in _STEPS:
        before, read = read, step(read, lexicon)
        certain = certain and (step not in _GUESSES or read == before)
    if _squeezed(read) == _squeezed(text):
        return None
    return Reading(read, certain and _is_clearer(read, text, lexicon))


def _is_clearer(read: str, text: str, lexicon: Lexicon) -> bool:
    known = lexicon.known(_words(read))
    return known >= max(MOST, lexicon.known(_words(text)) + CLEARER)


def _squeezed(text: str) -> str:
    return " ".join(text.casefold().split())


def _words(text: str) -> list[str]:
    return WORD.findall(text.lower())


def _seen(text: str, lexicon: Lexicon) -> str:
    """Removes what is not shown or said, and shows in order what a direction mark turns round."""
    text = OVERRIDE.sub(lambda match: match[1][::-1], html.unescape(html.unescape(text)))
    text = RETWEET.sub("", URL.sub(" ", TAG.sub("", text)))
    # Those before the first word are whom a reply goes to.
    many = REPLIED_TO.sub("", text).count("@") > FEW_MENTIONS

    def mention(match: re.Match[str]) -> str:
        said = match[0].lower()
        is_word = said[1:] not in lexicon and lexicon.best(variants(said, LEET)) is not None
        return match[0] if is_word else " " if many else " user "

    text = MENTION.sub(mention, text)
    quoted = len(QUOTED.findall(text))
    if quoted >= FEW_QUOTED and quoted > MOST * len(text.split()):
        text = QUOTED.sub(r"\1\2", text)
    return text if text.isprintable() else "".join(map(_shown, text))


def _shown(character: str) -> str:
    return " " if character.isspace() else character if character.isprintable() else ""


def _upright(text: str, lexicon: Lexicon) -> str:
    if len(TURNED.findall(text)) < 3:  # noqa: PLR2004 fewer are phonetic signs
        return text
    turned = text.lower()[::-1].translate(UPSIDE_DOWN)
    return turned if lexicon.known(_words(unstyled(turned))) > HALF else text


def _latin(text: str, lexicon: Lexicon) -> str:
    """Reads styled and look-alike letters; words of another script stay, unless most of the text is words then."""
    if text.isascii():
        return text
    text = unstyled(text)
    tokens = text.split(" ")
    folded = [token if token.isascii() else _shapes(token, lexicon) for token in tokens]
    if lexicon.known(_words(" ".join(folded))) > HALF:
        return " ".join(folded)
    # Letters of two scripts in one word are no accident.
    return " ".join(new if WORD.search(old.lower()) else old for old, new in zip(tokens, folded, strict=True))


def _shapes(token: str, lexicon: Lexicon) -> str:
    plain = token.translate(SURE).lower()
    word = WORD_LIKE.sub("", plain)
    known = lexicon.best(variants(word, UNSURE))
    return plain.replace(word, known) if known else plain.translate(FIRST)


def _joined(text: str, lexicon: Lexicon) -> str:
    """Joins letters that signs or spaces set apart, and takes emoji out of a sentence."""
    apart = APART.findall(text)
    if len(apart) > 1 or any(len(SIGNS.sub("", match)) > 3 for match in apart):  # noqa: PLR2004 `U.S.A.`
        text = APART.sub(lambda match: _closed(match[0], lexicon), text)
    if len(apart) > 1:
        text = PAIR_APART.sub(lambda match: SIGNS.sub("", match[0]), text)
    if not text.isascii() and EMOJI_WITHIN.search(text):
        text = SYMBOL.sub(" ", text)

    def run(match: re.Match[str]) -> str:
        letters = match[0].replace(" ", "")
        return letters if letters.lower() in lexicon else " ".join(lexicon.split(letters.lower()) or [letters])

    text, count = SPACED.subn(run, text)
    return PAIR_SPACED.sub(lambda match: match[0].replace(" ", ""), text) if count > 1 else text


def _closed(word: str, lexicon: Lexicon) -> str:
    """Takes out the signs between single letters, or reads them where different ones stand for letters."""
    signs = SIGNS.findall(word)
    spelt = lexicon.best(variants(word.lower(), LEET)) if len(set(signs)) > 1 and set(signs) <= set(LEET) else None
    return spelt or SIGNS.sub("", word)


def _per_token(change: Callable[[str, Lexicon], str]) -> Callable[[str, Lexicon], str]:
    return lambda text, lexicon: TOKEN.sub(lambda match: change(match[0], lexicon), text)


def _without_signs(token: str, lexicon: Lexicon) -> str:
    """Takes signs out of one word; words that a sign joins stay."""
    return INNER.sub(lambda match: _merged(match[0], lexicon), token)


def _filled(token: str, lexicon: Lexicon) -> str:
    """Finds the letter that a sign hides."""

    def fill(match: re.Match[str]) -> str:
        word, joined = match[0].lower(), SIGNS.sub("", match[0])
        if len(joined) < SHORT or not HIDDEN.fullmatch(word):
            return match[0]
        return lexicon.filled(SIGNS.sub("*", word)) or joined

    return INNER.sub(fill, token)


def _merged(word: str, lexicon: Lexicon) -> str:
    parts = SIGNS.split(word)
    joined, signs = "".join(parts).lower(), set("".join(SIGNS.findall(word)))
    if signs <= {"'", "\u2019"}:
        return word
    if len(joined) < SHORT:
        return joined if lexicon.common(joined) else word
    if joined in lexicon:
        return joined
    # A sign that hides a letter is read later.
    return word if HIDDEN.fullmatch(word.lower()) else _apart(word, parts, signs)


def _apart(word: str, parts: list[str], signs: set[str]) -> str:
    """Reads signs in what is no known word without them: a stammer, or spaces."""
    if len(parts[0]) == 1 and parts[1][:1].lower() == parts[0].lower():
        return " ".join(parts[1:])
    if signs <= {"*"}:
        return "".join(parts)
    # Hyphens make compounds, also of three words.
    return " ".join(parts) if len(parts) > (3 if "-" in signs else 2) else word


def _spelt(text: str, lexicon: Lexicon) -> str:
    """Reads digits and signs as letters; where they are many, also what could be a number."""
    if not LEET_SIGN.search(text):
        return text
    changed = 0

    def change(token: str, *, bold: bool) -> str:
        nonlocal changed
        read = _letters(token.lower(), lexicon, bold=bold)
        changed += read is not None
        return token if read is None else read

    careful = TOKEN.sub(lambda match: change(match[0], bold=False), text)
    if changed < 2 or changed < FEW * len(text.split()):  # noqa: PLR2004 one may be a name
        return careful
    return TOKEN.sub(lambda match: change(match[0], bold=True), careful)


def _letters(token: str, lexicon: Lexicon, *, bold: bool) -> str | None:
    # An exclamation mark at the end is one; a bracket at the beginning may be a letter.
    for core in dict.fromkeys((token.rstrip(PUNCTUATION), token.strip(f"({PUNCTUATION}"))):
        if not core or not LEET_SIGN.search(core) or not all(c in LEET or c.isalpha() for c in core):
            continue
        if not bold and (NUMBER.fullmatch(core) or not WORD.search(core)):
            continue
        read = lexicon.best(variants(core, LEET))
        if read is None and INSIDE.search(core) and not core[-1].isdigit():
            read = next(variants(core, LEET))
        if read is not None:
            return token.replace(core, read)
    return None


def _once(text: str, lexicon: Lexicon) -> str:
    """Writes repeated letters once: all alike where every letter of the text is, or where that makes a word."""
    lower = text.lower()
    if not RUN.search(lower):
        return text
    if len(WORD.findall(RUN.sub(" ", lower))) == 0 and len(text) > 5:  # noqa: PLR2004 less is no pattern
        times = math.gcd(*(len(match[0]) for match in RUN.finditer(lower)))
        return re.sub(rf"([A-Za-z])(?:\1{{{times - 1}}})", r"\1", text, flags=re.IGNORECASE)
    return WORD_IN.sub(lambda match: _single(match[0], lexicon), text)


WORD_IN: Final = re.compile(r"[A-Za-z]+")


def _single(word: str, lexicon: Lexicon) -> str:
    lower = word.lower()
    # One doubled letter is a name or a slip.
    if not LONG_RUN.search(lower) and (len(RUN.findall(lower)) < 2 or lower in lexicon):  # noqa: PLR2004
        return word
    marks = iter("0123456789")
    options: dict[str, str] = {}

    def mark(match: re.Match[str]) -> str:
        sign = next(marks, "")
        options[sign] = match[1]
        return sign or match[1]

    pattern = RUN.sub(mark, lower)
    # A run is one letter or two; the shortest first, so that what is no word has none repeated.
    doubled = {sign: (letter, letter * 2) for sign, letter in options.items()}
    found = lexicon.best(variants(pattern, doubled))
    if found is not None:
        return found
    return re.sub(r"([a-z])\1{2,}", r"\1", lower)


def _forward(text: str, lexicon: Lexicon) -> str:
    """Reads a text, or every word of it, from its end."""
    words = _words(text)
    known = lexicon.known(words)
    if known > HALF or len(words) < 2:  # noqa: PLR2004 one word may be a name
        return text
    if lexicon.known([word[::-1] for word in words]) < max(MOST, known + FEW):
        return text
    whole = text[::-1]
    return whole if whole[0].isalnum() else WORD_IN.sub(lambda match: match[0][::-1], text)


def _respaced(text: str, lexicon: Lexicon) -> str:
    """Moves spaces that stand at the wrong place in most words."""
    words = _words(text)
    if len(words) <= 3 or lexicon.known(words) >= HALF:  # noqa: PLR2004 fewer may be names
        return text
    parts = [lexicon.split("".join(_words(part))) or [] for part in re.split(r"[.!?,;]+", text)]
    moved = [word for part in parts for word in part]
    if not moved or lexicon.known(moved) <= max(MOST, lexicon.known(words)) or not _plausible(moved):
        return text
    return ". ".join(" ".join(part) for part in parts if part)


def _plausible(words: list[str]) -> bool:
    """Returns whether these can be the words of a sentence, which are longer than chance makes them."""
    return sum(map(len, words)) >= SHORTEST * len(words)


def _sentences(text: str, lexicon: Lexicon) -> str:
    """Sets spaces in sentences that are written as one word."""

    def split(match: re.Match[str]) -> str:
        word = match[0].lower()
        parts = lexicon.split(word) if len(word) > SENTENCE and word not in lexicon else None
        return " ".join(parts) if parts and _plausible(parts) and lexicon.known(parts) > MOST else match[0]

    return WORD_IN.sub(split, text)


def _compounds(text: str, lexicon: Lexicon) -> str:
    """Sets spaces in shorter ones, where all parts are known and no chance."""

    def split(match: re.Match[str]) -> str:
        word = match[0].lower()
        parts = lexicon.split(word) if GLUED <= len(word) <= SENTENCE and word not in lexicon else None
        if not parts or not _plausible(parts) or lexicon.known(parts) < 1:
            return match[0]
        return " ".join(parts) if all(len(part) > 3 or lexicon.common(part) for part in parts) else match[0]  # noqa: PLR2004

    return WORD_IN.sub(split, text)


def _corrected(text: str, lexicon: Lexicon) -> str:
    """Corrects words where many are misspelt; a few are names and slang."""
    if not _misspelt(text, lexicon):
        return text
    left = MOST_CORRECTIONS

    def change(match: re.Match[str]) -> str:
        nonlocal left
        word = match[0].lower()
        if len(word) < 3 or word in lexicon or not left or _is_name(match):  # noqa: PLR2004 too short to tell
            return match[0]
        left -= 1
        return lexicon.correct(word) or match[0]

    return WORD_IN.sub(change, text)


def _misspelt(text: str, lexicon: Lexicon) -> bool:
    # Short words are often known by chance, and those with a capital are often names.
    long = [word for word in _words(text) if len(word) > 3]  # noqa: PLR2004
    unknown = sum(word not in lexicon for word in long)
    if unknown < 2 or unknown <= HALF * len(long):  # noqa: PLR2004 one is no pattern
        return False
    unnamed = [match[0].lower() for match in WORD_IN.finditer(text) if len(match[0]) > 3 and not _is_name(match)]  # noqa: PLR2004
    unknown = sum(word not in lexicon for word in unnamed)
    return unknown > 1 and unknown > HALF * len(unnamed)


def _glued(text: str, lexicon: Lexicon) -> bool:
    return any(len(word) >= GLUED and word not in lexicon for word in _words(text))


def _is_name(match: re.Match[str]) -> bool:
    return match.start() > 0 and match[0].istitle()


_FILLED: Final = _per_token(_filled)
_STEPS: Final = (
    _upright,
    _latin,
    _joined,
    _spelt,
    _per_token(_without_signs),
    _FILLED,
    _once,
    _forward,
    _respaced,
    _sentences,
    _compounds,
    _corrected,
)
# Steps that may find another word than the one that was meant.
_GUESSES: Final = frozenset({_FILLED, _respaced, _compounds, _corrected})
