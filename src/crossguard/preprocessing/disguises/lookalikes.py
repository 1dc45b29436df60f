"""Letters of other scripts and styles, read as the Latin letter that they look like."""

# ruff: noqa: RUF001 - ambiguous characters are what this file is about

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from typing import Final

# By shape: Unicode's confusables.txt (UTS 39) where it names one letter of another script, then looser ones that people
# read in running text. What the name of a character says (LATIN SMALL LETTER B WITH HOOK) is not repeated here.
SHAPES: Final = {
    "a": "ɑαаΑАᎪᗅꓮλΛΔ🅰",
    "b": "ƄЬᏏᑲᖯꞴΒВᗷꓐβьъЪ🅱Ᏼ",
    "c": "ⲥꮯⲤСᏟꓚς©☪",
    "d": "ԁᏧᑯꓒᎠᗞᗪꓓძ",
    "e": "еҽΕЕⴹᎬꓰεєэΣ📧",
    "f": "ꬵẝքϜᖴꓝғ",
    "g": "ɡƍցԌᏀᏳꓖ",
    "h": "һհᏂΗⲎНᎻᕼꓧђћ♓",
    "i": "ıɩꙇꭵᎥїℹᏆ",
    "j": "ϳјͿЈᎫᒍꓙ",
    "k": "ΚⲔКᏦᛕꓗκкқ",
    "l": "ƖǀⲒⵏᛁꓲⳐᏞᒪꓡʃ",
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
    "ρ": "pr",
    "ν": "vnu",
    "υ": "uy",
    "γ": "yg",
    "и": "nu",
    "г": "rg",
    "ӏ": "li",
    "Ӏ": "li",
    "І": "il",
    "Ι": "il",
    "ι": "il",
    "і": "il",
    "η": "nh",
    "в": "bv",
    "у": "yu",
    "р": "pr",
    "с": "cs",
    "х": "xh",
    "н": "hn",
    "д": "ad",
    "з": "ze",
    "ꓩ": "fr",
    "ц": "uy",
    "ш": "wu",
}
SURE: Final = {ord(look): letter for letter, looks in SHAPES.items() for look in looks}
FIRST: Final = {ord(look): letters[0] for look, letters in UNSURE.items()}
# Rotated by half a turn, in a text that is read from its end.
UPSIDE_DOWN: Final = str.maketrans("ɐqɔpǝɟɓƃɥᴉıɾſʞʃןɯuodbɹsʇnʌʍxʎz˙¡¿", "abcdefgghiijjkllmnopqrstuvwxyz.!?")
TURNED: Final = re.compile("[ɐɔǝɟƃɥᴉɾʞɯɹʇʌʍʎ]")
NAMED: Final = re.compile(
    r"(?:LATIN|SQUARED|CIRCLED|REGIONAL).*\bLETTER (?:SMALL CAPITAL |OPEN |TURNED |DOTLESS |REVERSED )?([A-Z])(?: |$)"
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
