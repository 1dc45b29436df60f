"""Signs and spaces inside words, and signs and digits in place of letters, or hiding them: `f**k`, `sh**`, `k_ll`."""

from __future__ import annotations

import re
from collections import Counter
from functools import cache
from typing import Final

from crossguard.preprocessing.disguises.lexicon import WORD, Lexicon, variants
from crossguard.preprocessing.disguises.patterns import (
    EMOJI_WITHIN,
    FEW,
    HALF,
    LETTER,
    SHORT,
    SIGN,
    SPACED,
    SPREAD,
    SYMBOL_SET,
)

SYMBOL: Final = re.compile(f"{SYMBOL_SET}+")
# Hands that clap between the words of a sentence only stress them.
CLAPS: Final = re.compile(r"(?<=\S) ?\U0001f44f[\U0001f3fb-\U0001f3ff]? ?(?=\S)")
# Letters with the same kind of sign between them, or with one space.
APART: Final = re.compile(rf"(?<!{LETTER}){LETTER}(?:{SIGN}{{1,3}}{LETTER}){{2,}}(?!{LETTER})")
SPREAD_OUT: Final = re.compile(rf"(?<!{LETTER}){LETTER}{SPREAD}(?:(?P=spread){LETTER})*(?!{LETTER})")
PAIR_APART: Final = re.compile(rf"(?<!{LETTER}){LETTER}{SIGN}{{1,3}}{LETTER}(?!{LETTER})")
PAIR_SPACED: Final = re.compile(rf"(?<!\w){LETTER} {LETTER}(?!\w)")
# Letters, and what stands for them, in brackets of their own.
BOXED: Final = re.compile(r"[\[({]([\w@$!*])[\])}]")
BOXED_RUN: Final = re.compile(rf"(?:[\[({{]{LETTER}[\])}}]){{3}}")
SIGNS: Final = re.compile(rf"{SIGN}+")
INNER: Final = re.compile(rf"(?<!{LETTER}){LETTER}++(?:{SIGN}{{1,4}}{LETTER}++)+")
LEET: Final = {
    "4": "a", "@": "a", "3": "e", "\u20ac": "e", "1": "il", "!": "i", "|": "li", "0": "o", "5": "s", "$": "s",
    "7": "t", "+": "t", "8": "b", "9": "g", "2": "z", "(": "c",
}  # fmt: skip
APOSTROPHES: Final = frozenset("'\u2019")
# Between the words of a list without spaces, as of tags.
OF_LISTS: Final = frozenset(",;/|+!")
LISTED: Final = re.compile(f"[{''.join(OF_LISTS)}]+")
PUNCTUATION: Final = ".,?!;:)\"'"
# What stands around words, too, and is no letter.
AROUND: Final = f"{PUNCTUATION}\u201c\u201d\u2018\u2019\u00ab\u00bb\u2026\u2014\u2013#[]"
NO_PUNCTUATION: Final = re.compile(f"[^{PUNCTUATION}]")
LEET_SIGN: Final = re.compile(r"[0-9@$!|+(\u20ac]")
# Of a web page: `#C0FFEE`, `#FA9`.
COLOUR: Final = re.compile(r"#(?=[a-f]*\d)(?:[\da-f]{3}){1,2}(?!\w)")
INSIDE: Final = re.compile(r"[a-z][013457@$!|]+[a-z]")
# Ordinals, amounts, versions and names of products, which are not words in digits.
NUMBER: Final = re.compile(r"\d+[a-z]{1,3}|[a-z]{1,3}\d+|.*\d{3,}.*")
# What is a number to a careful reader, and in another word's company is one more word: `4re`, `b3`.
FEW_LETTERS: Final = re.compile(r"(?<![^\s(\"'])(?:4[a-z]{1,3}|[a-z]{1,2}[43])(?![^\s.,?!;:)\"'])", re.IGNORECASE)
TOKEN: Final = re.compile(r"\S+")
# Where several letters are hidden, one sign stands for each of them. At the end only stars do: a dash breaks off.
STARRED: Final = re.compile(r"(?<![^\W_])[a-z]++(?:(?:[*#%?]+|_+|-{2,})[a-z]++)*+(?:\*{2,})?(?![^\W_])", re.IGNORECASE)
# Whose name was shortened for others not to know it.
TITLE: Final = re.compile(r"\b(?:Mr|Mrs|Ms|Miss|Dr|Prof)\.? \Z")
LONGEST_TITLE: Final = 6
# A word with one sign in it that may be a letter, or hide one.
ONE_WITHIN: Final = re.compile(
    rf"(?<![^\s(\"'])(?<!\S\()[a-z]++(?:{SIGN}|[0-9])[a-z]++(?![^\s.,?!;:)\"']|{SIGN}+[^\W_])", re.IGNORECASE
)
NO_LETTER: Final = re.compile("[^a-z]")
HIDING: Final = re.compile(r"[*#%?_-]")
# Two letters with a sign between them are no word if they are a face (`o_O`), an index (`F_g`) or a chord (`C#m`).
NO_WORD: Final = re.compile(r"(?i:([a-z])_+\1)|[A-Z][_#][a-z]")
_PAIR: Final = r"[A-Za-z](?:_|\*{1,2})[A-Za-z]"
# In a formula, any two are none.
PAIR: Final = re.compile(_PAIR)
INDEX: Final = re.compile(r"(?<![^\W_])([a-z])_([a-z])(?![^\W_])")
_TERM: Final = rf"(?:{_PAIR}|\d+|[A-Za-z])"
FORMULA: Final = re.compile(
    rf"(?<![^\W_])(?:{_TERM} ?[=+^] ?-?{_PAIR}|{_PAIR} ?[=+^] ?-?{_TERM})(?![^\W_])|[^\W_]\({_PAIR}\)"
)
# Where most words have one sign each; only stars stand for the last letter.
ONE_SIGN: Final = re.compile(r"(?<![^\W_])[a-z]++(?:[*#%?_][a-z]++|[*#])(?![\w*#%?])", re.IGNORECASE)
# So frequent a word is likelier than one of hate, where ordinary words have signs in them.
FREQUENT_RANK: Final = 70
ONE_HIDDEN: Final = re.compile(r"[a-z]+[*#%?_][a-z]+")


def joined(text: str, lexicon: Lexicon) -> str:
    """Joins letters that signs or spaces set apart."""
    if BOXED_RUN.search(text):
        text = BOXED.sub(r"\1", text)
    text = SPREAD_OUT.sub(lambda match: _gathered(match, lexicon), text)
    apart = APART.findall(text)
    if len(apart) > 1 or any(len(SIGNS.sub("", match)) > 3 for match in apart):  # noqa: PLR2004 `U.S.A.`
        text = APART.sub(lambda match: _closed(match[0], lexicon), text)
    if len(apart) > 1:
        text = PAIR_APART.sub(lambda match: _closed(match[0], lexicon), text)

    count = 0

    def run(match: re.Match[str]) -> str:
        nonlocal count
        letters = match[0].replace(" ", "")
        known = letters.lower() in lexicon
        parts = [letters] if known else lexicon.split(letters.lower()) or [letters]
        # Few letters that are no words are chords or initials.
        if not known and len(letters) <= SHORT and lexicon.known(parts) < 1:
            return match[0]
        count += 1
        return " ".join(parts)

    text = SPACED.sub(run, text)
    return PAIR_SPACED.sub(lambda match: match[0].replace(" ", ""), text) if count > 1 else text


def _gathered(match: re.Match[str], lexicon: Lexicon) -> str:
    """Joins single letters that are a word, unlike initials and the entries of a list."""
    letters = match[0].replace(match["spread"], "")
    return letters if letters.lower() in lexicon else match[0]


def without_emoji(text: str, lexicon: Lexicon) -> str:  # noqa: ARG001 as all steps
    """Takes emoji out of a sentence."""
    return SYMBOL.sub(" ", text) if not text.isascii() and EMOJI_WITHIN.search(text) else text


def _closed(word: str, lexicon: Lexicon) -> str:
    """Takes out the signs between single letters, or reads them where they stand for letters of a word."""
    signs = SIGNS.findall(word)
    spelt = lexicon.best(variants(word.lower(), LEET)) if set(signs) <= set(LEET) else None
    return spelt or SIGNS.sub("", word)


def without_signs(text: str, lexicon: Lexicon) -> str:
    """Takes signs out of words; words that a sign joins stay."""
    return INNER.sub(lambda match: _merged(match[0], lexicon), text)


def _merged(word: str, lexicon: Lexicon) -> str:
    parts = SIGNS.split(word)
    joined, signs = "".join(parts).lower(), set("".join(SIGNS.findall(word)))
    if signs <= APOSTROPHES:
        return word
    if len(joined) < SHORT:
        return joined if lexicon.common(joined) and signs != {"*"} else word
    if joined in lexicon:
        return joined
    return _apart(word, parts, signs, lexicon)


def _apart(word: str, parts: list[str], signs: set[str], lexicon: Lexicon) -> str:
    """Reads signs in what is no known word without them: a stammer, or spaces of a sentence."""
    if len(parts[0]) == 1 and parts[1][:1].lower() == parts[0].lower():
        return " ".join(parts[1:])
    if signs <= {"*"}:
        return "".join(parts)
    # Hyphens make compounds, also of three words.
    if len(parts) <= (3 if "-" in signs else 2):
        return word
    # Tags and the entries of a menu are no sentence.
    if signs - APOSTROPHES <= OF_LISTS and not any(lexicon.common(part.lower(), FREQUENT_RANK) for part in parts):
        return word
    ((space, _),) = Counter("".join(SIGNS.findall(word))).most_common(1)

    def set_apart(match: re.Match[str]) -> str:
        if match[0] in APOSTROPHES and space not in APOSTROPHES:
            return match[0]
        # Punctuation stays beside the word that it belongs to: before the space, if that is none of these signs.
        before, found, behind = match[0].rpartition(space)
        return f"{NO_PUNCTUATION.sub('', before)} {behind}" if found else f"{NO_PUNCTUATION.sub('', behind)} "

    return SIGNS.sub(set_apart, word)


def hides_another(text: str, read: list[str], lexicon: Lexicon) -> bool:
    """Returns whether a sign in a word may hide a letter of one that people hide, and that was not read."""
    words = {match[0].lower() for match in ONE_WITHIN.finditer(text)}
    doubtful = (word for word in words if lexicon.hidden(NO_LETTER.sub("*", word)) not in {None, *read})
    return not all(_is_likelier(word, read, lexicon) for word in doubtful)


def _is_likelier(word: str, read: list[str], lexicon: Lexicon) -> bool:
    """Returns whether a word with a sign in it was read as one that is frequent or that people hide, too."""
    fits = re.compile(NO_LETTER.sub(".?", word)).fullmatch
    return any(lexicon.common(said) or said in lexicon.starred for said in read if fits(said))


def spelt(text: str, lexicon: Lexicon) -> str:
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
    if changed < 2:  # noqa: PLR2004 one may be a name
        return careful
    if changed < FEW * len(text.split()):
        return FEW_LETTERS.sub(lambda match: _frequent(match[0], lexicon), careful)
    return TOKEN.sub(lambda match: change(match[0], bold=True), careful)


def _frequent(token: str, lexicon: Lexicon) -> str:
    """Reads what could be a number as the word that is in most texts, if it can be one."""
    read = lexicon.best(variants(token.lower(), LEET))
    return read if read is not None and lexicon.common(read) else token


def _letters(token: str, lexicon: Lexicon, *, bold: bool) -> str | None:
    if token[0] == "#" and COLOUR.match(token):
        return None
    # An exclamation mark at the end is one; a bracket before what is no word may be a letter.
    plain = token.rstrip(PUNCTUATION), token.strip(f"({PUNCTUATION}")
    for core in dict.fromkeys((*plain, token.strip(f"({AROUND}"))):
        if core[:1] == "(" and core[1:] in lexicon:
            continue
        if not core or not LEET_SIGN.search(core) or not all(c in LEET or c.isalpha() for c in core):
            continue
        if not bold and (NUMBER.fullmatch(core) or not WORD.search(core)):
            continue
        if core.isdigit() and core not in plain:  # `#1`, `[2]`
            continue
        read = lexicon.best(variants(core, LEET))
        # A hashtag of no known word may be of several, or of initials.
        unknown = read is None and "#" not in token and INSIDE.search(core) and not core[-1].isdigit()
        if unknown and not _parted(core, lexicon):
            read = next(variants(core, LEET))
        # A number is one, unless it reads as a word that is in most texts.
        if read is not None and (not core.isdigit() or lexicon.common(read)):
            return token.replace(core, read)
    return None


def _parted(token: str, lexicon: Lexicon) -> bool:
    """Returns whether signs part words, as in a menu, rather than standing for letters of one."""
    parts = LISTED.split(token)
    # Beside a lone letter that is no word, a sign stands for another one: `ant!sem!t!c`.
    if len(parts) == 1 or any(len(part) == 1 and part not in lexicon for part in parts):
        return False
    return sum(len(part) for part in parts if part in lexicon) > HALF * sum(map(len, parts))


def starred(text: str, lexicon: Lexicon) -> str:
    """Finds the letters that signs hide: of a word that is often hidden, or else of any word that lacks one letter."""
    if not HIDING.search(text):
        return text
    formulas = cache(lambda: _has_formulas(text))  # few texts have a word of which it must be known

    def no_word(word: str) -> bool:
        return NO_WORD.fullmatch(word) is not None or (PAIR.fullmatch(word) is not None and formulas())

    singles = [match[0].lower() for match in ONE_SIGN.finditer(text) if not no_word(match[0])]
    if len(singles) > 2 and len(singles) > FEW * len(text.split()):  # noqa: PLR2004 fewer may be the words of hate
        # Shorter ones may be words by chance, and those of hate are also written without the letter.
        telling = [word for word in singles if len(word) > SHORT and not lexicon.hidden(HIDING.sub("*", word))]
        put_in = sum(HIDING.sub("", word) in lexicon for word in telling) > HALF * len(telling)

        def unsigned(match: re.Match[str]) -> str:
            kept = no_word(match[0])
            return match[0] if kept else _unsigned(match[0].lower(), lexicon, put_in=put_in) or match[0]

        return ONE_SIGN.sub(unsigned, text)

    def read(match: re.Match[str]) -> str:
        word = match[0].lower()
        parts = HIDING.sub(" ", word).split()
        bare = "".join(parts)
        before = text[max(0, match.start() - LONGEST_TITLE) : match.start()]
        if bare == word or no_word(match[0]) or (match[0][0].isupper() and TITLE.search(before)):
            return match[0]
        pattern = HIDING.sub("*", word)
        hidden = lexicon.hidden(pattern)
        if _lacks_nothing(parts, bare, hidden, lexicon):
            return match[0]
        if hidden is None and ONE_HIDDEN.fullmatch(word) and (len(bare) >= SHORT or "*" in word):
            hidden = lexicon.filled(pattern)
        return hidden or match[0]

    return STARRED.sub(read, text)


def _has_formulas(text: str) -> bool:
    """Returns whether a text has an equation or a product, or indices of one letter, or one of several letters."""
    indices = {match.groups() for match in INDEX.finditer(text.lower())}
    alike = any(len(set(letters)) < len(indices) for letters in zip(*indices, strict=True))
    return alike or FORMULA.search(text) is not None


def _unsigned(word: str, lexicon: Lexicon, *, put_in: bool) -> str | None:
    """Returns a word without its sign: with the letter that it hides, or first as it is if signs are `put_in`."""
    bare, pattern = HIDING.sub("", word), HIDING.sub("*", word)
    known = bare if bare in lexicon else None
    if put_in and known:
        return known
    filled = lexicon.filled(pattern)
    if filled is not None and lexicon.common(filled, FREQUENT_RANK):
        return filled
    return lexicon.hidden(pattern) or filled or known


def _lacks_nothing(parts: list[str], bare: str, hidden: str | None, lexicon: Lexicon) -> bool:
    """Returns whether signs stand in a word, behind one, or between words, rather than for letters of a hidden one."""
    known = lexicon.common(bare) or bare in lexicon.starred if hidden else bare in lexicon
    if len(bare) >= SHORT and known:
        return True
    return len(bare) > 1 and all(map(lexicon.common, parts))
