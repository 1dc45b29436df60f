"""Letters that look alike, are repeated, or stand in another order."""

# ruff: noqa: RUF001 - ambiguous characters are what this file is about

from __future__ import annotations

import math
import re
import unicodedata
from functools import lru_cache
from typing import Final

from crossguard.preprocessing.disguises.lexicon import WORD, Lexicon, variants
from crossguard.preprocessing.disguises.patterns import FEW, HALF, LONG_RUN, MOST, SIGN, WORD_IN, words_of
from crossguard.preprocessing.disguises.spelling import in_words

# By shape: Unicode's confusables.txt (UTS 39) where it names one letter of another script, then looser ones that people
# read in running text. What the name of a character says (LATIN SMALL LETTER B WITH HOOK) is not repeated here.
SHAPES: Final = {
    "a": "ɑαаΑАᎪᗅꓮλΛΔ🅰",
    "b": "ƄЬᏏᑲᖯꞴΒВᗷꓐβьъЪ🅱Ᏼ",
    "c": "ⲥꮯⲤСᏟꓚς©☪🌜",
    "d": "ԁᏧᑯꓒᎠᗞᗪꓓძ",
    "e": "еҽΕЕⴹᎬꓰεєэΣ📧",
    "f": "ꬵẝքϜᖴꓝғ",
    "g": "ɡƍցԌᏀᏳꓖ",
    "h": "һհᏂΗⲎНᎻᕼꓧђћ♓",
    "i": "ıɩꙇꭵᎥїℹᏆ",
    "j": "ϳјͿЈᎫᒍꓙ",
    "k": "ΚⲔКᏦᛕꓗκкқ",
    "l": "ⳐᏞᒪꓡʃ",
    "m": "ΜϺⲘМᎷᗰᛖꓟмⓂ♏",
    "n": "ոռΝⲚꓠйпΠᏁ♑",
    "o": "ᴑοσⲟоჿօഠဝΟⲞОՕⵔዐଠꓳθΘФфᎾᏫ⭕🅾Ꭴ",
    "p": "ⲣΡⲢРᑭꓑ🅿Ꮲ",
    "q": "ԛգզⵕ",
    "r": "ꭈᴦⲅꮁƦᎡᏒᖇꓣяЯ®Ꮞ",
    "s": "ƽѕꮪЅՏᏕᏚꓢ💲",
    "t": "ΤⲦТᎢꓔτт✝",
    "u": "ꞟʋսՍሀᑌꓴμᏌ",
    "v": "ѵꮩѴⴸᏙᐯꛟꓦ♈",
    "w": "ɯѡԝաꮃԜᎳᏔꓪωщψ",
    "x": "ᕁᕽꞳΧⲬХⵝᚷꓫχж❌❎✖",
    "y": "ɣᶌүყΥⲨУҮᎽꓬЧჸчᎩ",
    "z": "ꮓΖᏃꓜζ💤",
}
# Which letter they stand for, the words decide; the first is the likeliest.
UNSURE: Final = {
    "ρ": "pr", "ν": "vnu", "υ": "uy", "γ": "yg", "и": "nu", "г": "rg", "ӏ": "li", "Ӏ": "li",
    "І": "il", "Ι": "il", "ι": "il", "і": "il", "η": "nh", "в": "bv", "у": "yu", "р": "pr",
    "ꓲ": "il", "Ɩ": "li", "ǀ": "li", "Ⲓ": "il", "ⵏ": "li", "ᛁ": "il",
    "с": "cs", "х": "xh", "н": "hn", "д": "ad", "з": "ze", "ꓩ": "fr", "ц": "uy", "ш": "wu",
}  # fmt: skip
SURE: Final = {ord(look): letter for letter, looks in SHAPES.items() for look in looks}
# Of these, the second is the sound in Cyrillic, which is only meant where the shape makes no word.
SHAPED: Final = {ord(look): UNSURE[look][0] for look in "внрсух"}
FIRST: Final = {ord(look): letters[0] for look, letters in UNSURE.items()}
# Alone, these are a faith and no letter.
FAITH: Final = re.compile("[☪✝][☪✝\ufe0f.,!?]*")
# Rotated by half a turn, in a text that is read from its end.
UPSIDE_DOWN: Final = str.maketrans("ɐqɔpǝɟɓƃɥᴉıɾſʞʃןɯuodbɹsʇnʌʍxʎz˙¡¿", "abcdefgghiijjkllmnopqrstuvwxyz.!?")
TURNED: Final = re.compile("[ɐɔǝɟƃɥᴉɾʞɯɹʇʌʍʎ]")
NAMED: Final = re.compile(
    r"(?:LATIN|SQUARED|CIRCLED|REGIONAL).*\bLETTER (?:SMALL CAPITAL |OPEN |TURNED |DOTLESS |REVERSED )?([A-Z])(?: |$)"
)
# Each run is tried from its start only: from all of its places, a search takes quadratic time.
WORD_LIKE: Final = re.compile(rf"^{SIGN}+|(?<!{SIGN}){SIGN}+$")
RUN: Final = re.compile(r"([a-z])\1+")
# Words with which hardly a sentence ends, and many begin.
NEVER_LAST: Final = frozenset((
    "a", "an", "the", "i", "we", "he", "she", "they", "to", "and", "or", "but", "if", "when", "why", "who",
    "my", "our", "your", "their",
))  # fmt: skip
SIGN_BEFORE: Final = re.compile(r"\s[.,:;!?]\w")
SIGN_BEHIND: Final = re.compile(r"\w[.,:;!?](?:\s|$)")


def upright(text: str, lexicon: Lexicon) -> str:
    """Turns a text that stands upside down."""
    if len(TURNED.findall(text)) < 3:  # noqa: PLR2004 fewer are phonetic signs
        return text
    turned = text.lower()[::-1].translate(UPSIDE_DOWN)
    return turned if lexicon.known(words_of(unstyled(turned))) > HALF else text


def latin(text: str, lexicon: Lexicon) -> str:
    """Reads styled and look-alike letters; words of another script stay, unless most of the text is words then."""
    if text.isascii():
        return text
    tokens = text.split(" ")
    plain = [unstyled(token) for token in tokens]
    folded = [token if token.isascii() or FAITH.fullmatch(token) else _shapes(token, lexicon) for token in plain]
    if lexicon.known(words_of(" ".join(folded))) <= HALF:
        # Letters of two scripts in one word are no accident.
        folded = [new if WORD.search(old.lower()) else old for old, new in zip(plain, folded, strict=True)]
    # The marks of another script are part of its letters.
    return " ".join(
        new if new.isascii() or WORD.search(new.lower()) else old for old, new in zip(tokens, folded, strict=True)
    )


def unstyled(text: str) -> str:
    """Returns the text with Latin letters of another style as plain ones, and without marks on letters."""
    return text if text.isascii() else "".join(map(_unstyled, text))


@lru_cache(maxsize=4096)
def _unstyled(character: str) -> str:
    if character.isascii():
        return character
    if unicodedata.category(character) in {"Mn", "Me"}:
        return ""
    # A letter in brackets falls into three characters, one with an accent into the letter and its mark.
    plain = "".join(c for c in unicodedata.normalize("NFKD", character) if not unicodedata.combining(c)).strip("()")
    if len(plain) == 1 and plain.isascii() and plain.isalpha():
        return plain
    name = unicodedata.name(character, "")
    named = NAMED.search(name)
    if named is None:
        return character
    return named[1] if "CAPITAL LETTER" in name else named[1].lower()


def _shapes(token: str, lexicon: Lexicon) -> str:
    plain = token.translate(SURE).lower()
    word = WORD_LIKE.sub("", plain)
    known = lexicon.best(variants(word.translate(SHAPED), UNSURE)) or lexicon.best(variants(word, UNSURE))
    return plain.replace(word, known) if known else plain.translate(FIRST)


def once(text: str, lexicon: Lexicon) -> str:
    """Writes repeated letters once: all alike where every letter of the text is, or where that makes a word."""
    lower = text.lower()
    if not RUN.search(lower):
        return text
    if len(WORD.findall(RUN.sub(" ", lower))) == 0 and len(text) > 5:  # noqa: PLR2004 less is no pattern
        times = math.gcd(*(len(match[0]) for match in RUN.finditer(lower)))
        return re.sub(rf"([A-Za-z])(?:\1{{{times - 1}}})", r"\1", text, flags=re.IGNORECASE)
    return WORD_IN.sub(lambda match: _single(match[0], lexicon), text)


def _single(word: str, lexicon: Lexicon) -> str:
    lower = word.lower()
    if len(lower) == 3 and RUN.fullmatch(lower):  # noqa: PLR2004 `III`, `AAA`
        return word
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
    # Where two words meet, three or four letters are no run: `killlesbians`.
    if not re.search(r"([a-z])\1{4}", lower) and in_words(lower, lexicon):
        return word
    return re.sub(r"([a-z])\1{2,}", r"\1", lower)


def forward(text: str, lexicon: Lexicon) -> str:
    """Reads a text, or every word of it, from its end."""
    words = words_of(text)
    known = lexicon.known(words)
    if known > HALF or len(words) < 2:  # noqa: PLR2004 one word may be a name
        return text
    if lexicon.known([word[::-1] for word in words]) < max(MOST, known + FEW):
        return text
    whole, each = text[::-1], WORD_IN.sub(lambda match: match[0][::-1], text)
    wrong = _disordered(whole)
    if wrong != _disordered(each):
        return each if wrong else whole
    return whole if whole[0].isalnum() else each


def _disordered(text: str) -> bool:
    """Returns whether the words of a sentence seem to stand in the order from its end."""
    return words_of(text)[-1] in NEVER_LAST or len(SIGN_BEFORE.findall(text)) > len(SIGN_BEHIND.findall(text))
