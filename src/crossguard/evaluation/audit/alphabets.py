"""Letters that look like the Latin ones, exactly or loosely: translation tables for `str.translate`."""

# ruff: noqa: RUF001 - ambiguous characters are what this file is about

from __future__ import annotations

import string
from collections.abc import Mapping
from typing import TypeAlias

Table: TypeAlias = Mapping[int, str | int]

LOWER, UPPER = string.ascii_lowercase, string.ascii_uppercase


def twins(letters: str, signs: str) -> Table:
    """One table for both cases, for scripts that have one form only."""
    return str.maketrans(letters + letters.upper(), signs + signs)


def _block(upper: int, lower: int) -> Table:
    """The letters of a Unicode block that runs from A to Z and from a to z."""
    return str.maketrans(UPPER + LOWER, "".join(map(chr, (*range(upper, upper + 26), *range(lower, lower + 26)))))


FULLWIDTH = _block(0xFF21, 0xFF41)
BOLD = _block(0x1D400, 0x1D41A)
BOLD_SCRIPT = _block(0x1D4D0, 0x1D4EA)
BOLD_FRAKTUR = _block(0x1D56C, 0x1D586)
SANS_ITALIC = _block(0x1D608, 0x1D622)
MONOSPACE = _block(0x1D670, 0x1D68A)
# The capitals of this block have gaps, which older characters fill.
DOUBLE_STRUCK = _block(0x1D552, 0x1D552)
CIRCLED = _block(0x24B6, 0x24D0)
SQUARED = _block(0x1F170, 0x1F170)
PARENTHESISED = _block(0x249C, 0x249C)
SUPERSCRIPT = twins("abcdefghijklmnoprstuvwxyz", "ᵃᵇᶜᵈᵉᶠᵍʰⁱʲᵏˡᵐⁿᵒᵖʳˢᵗᵘᵛʷˣʸᶻ")
SMALL_CAPITALS = twins("abcdefghijklmnopqrstuvwyz", "ᴀʙᴄᴅᴇꜰɢʜɪᴊᴋʟᴍɴᴏᴘǫʀꜱᴛᴜᴠᴡʏᴢ")

CYRILLIC = str.maketrans("aceijopsxydhlqwABCEHIJKMOPSTXY", "асеіјорѕхуԁһӏԛԝАВСЕНІЈКМОРЅТХУ")
GREEK = twins("abeiknoprtuvwxyz", "αβεικηορρτυνωχγζ")
CYRILLIC_LOOSE = twins("abdefghikmnoprtuwxyz", "дьдєғгнїкмиорятцшжчз")

CHEROKEE = twins("abcdeghijklmoprstvwyz", "ᎪᏴᏟᎠᎬᏀᎻᏆᎫᏦᏞᎷᎾᏢᎡᏚᎢᏙᏔᎩᏃ")
LISU = twins("abcdefghijklmnoprstuvwxyz", "ꓮꓐꓚꓓꓰꓝꓖꓧꓲꓙꓗꓡꓟꓠꓳꓑꓣꓢꓔꓴꓦꓪꓫꓬꓜ")
STROKED = twins("abcdeghijklopqrtuyz", "ⱥƀȼđɇǥħɨɉꝁłøᵽꝗɍŧʉɏƶ")
HOOKED = twins("abcdefghikmnpqrstvyz", "ɑɓƈɗҽƒɠɦɩƙɱɳƥʠɽʂƭʋƴȥ")
UPSIDE_DOWN = {**twins("abcdefghijklmnopqrstuvwxyz", "ɐqɔpǝɟƃɥᴉɾʞlɯuodbɹsʇnʌʍxʎz"), **str.maketrans(".,!?'", "˙'¡¿,")}
ACCENTED = twins("aceghijklnorstuwyz", "âćęğĥïĵķļñöŕšťûŵÿž")

REGIONAL_INDICATORS = _block(0x1F1E6, 0x1F1E6)
# Emoji that people set in place of a letter.
EMOJI_LETTERS = twins("abcehioprstvx", "🅰🅱🌜📧♓ℹ⭕🅿®💲✝♈❌")
