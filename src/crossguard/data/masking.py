"""Text of posts in a form that a moderator can skim on a terminal without being hit by it."""

from __future__ import annotations

import re
import unicodedata
from itertools import groupby

_CONTROLS = (*range(0x0A), *range(0x0B, 0x20), *range(0x7F, 0xA0), 0x2028, 0x2029)
_DIRECTIONS = (0x061C, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A))
STEERING = dict.fromkeys((*_CONTROLS, *_DIRECTIONS))
"""What steers a terminal within a line or turns the direction of writing, none of which has a width; to `translate`."""
_SHOWN = STEERING | dict.fromkeys(_CONTROLS, " ") | {0x09: "\t"}
MASK = "*"
WIDTH = 60
_SHORT = 2
# Letters, digits, and letters in circles, brackets, squares and flags.
_STYLED = "\u249c-\u24e9\U0001f110-\U0001f189\U0001f1e6-\U0001f1ff"
_LETTER = rf"(?:[^\W_]|[{_STYLED}])"
_LETTERS = re.compile(_LETTER)
# Vowel signs and points of scripts from Hebrew to Khmer, which are inside words, and letters of theirs.
_SIGNS = "\u0591-\u1cff"
_BETWEEN = rf"(?:[^\w{_STYLED}{_SIGNS}]|_)"
_GAP = rf"(?! ?['\u2019]\w){_BETWEEN}{{1,4}}"  # not that of "I'm a"
# Accents that are characters of their own.
_ACCENTS = "[\u0300-\u036f\u0483-\u0489\u20d0-\u20ff\ufe00-\ufe0f]*+"
_APART = rf"{_LETTER}{_ACCENTS}"
# One word with its letters set apart, as people write it to slip past a filter: each by the same, or by anything.
# What ends it is no letter, but may be a sign of those between: of "a_ a_ a_", each start would be read to the end.
_SPACED_OUT = re.compile(
    rf"(?<![\w{_STYLED}{_SIGNS}])(?<!\w['\u2019])(?<!\w ['\u2019])"
    rf"(?:{_APART}(?P<gap>{_GAP}){_APART}(?:(?P=gap){_APART})+"
    rf"|(?:{_APART}{_GAP}){{2,}}{_APART})(?!['\u2019](?!s\b){_LETTER}|{_LETTER}|[{_SIGNS}])"
)
# A line without two letters in a row.
_LONE_LETTERS = re.compile(rf"(?:{_BETWEEN}|{_LETTER}(?!{_LETTER}))*+")
# A word from its first to its last letter or digit, whatever stands between.
_WORD = re.compile(rf"{_LETTER}(?:[^ ]*{_LETTER})?")
# Words that carry no attack by themselves and keep a masked sentence readable.
_PLAIN = (
    "about after again all also and any are because been before being but can could did does doing don't down each "
    "few for from get give got had has have her here him his how i'm into isn't it's its just know like made make "
    "many may more most much must not now off one only other our out over said same say says see she should some "
    "still such than that that's the their them then there these they they're this those though through too two "
    "under until very want was well were what when where which while who why will with without would yes yet you "
    "you're your yours ad am an as at bc be by cc do eh go ha he hi ho id if im in is it la ma me mr ms my no of oh ok "
    "on or pm re so to tv uk un up us vs we wo ya ye "
)
_PLAIN_WORDS = frozenset(_PLAIN.split())


def mask(text: str) -> str:
    """Returns a text with all but the first letter of every telling word hidden: `You are all i****`.

    Common words, lone letters and short numbers stay. Words are what stands between spaces, so that letters replaced by
    signs do not help a slur to be shown; letters set apart are one word.
    """
    return _WORD.sub(_masked, _SPACED_OUT.sub(_masked_letters, visible(text)))


def mask_lines(text: str) -> str:
    """Returns a text with its lines masked; those of lone letters are one word, as one is written downwards."""
    groups = groupby(text.splitlines(), lambda line: _LONE_LETTERS.fullmatch(line) is not None)
    return "\n".join(line for lone, lines in groups for line in _masked_lines(list(lines), lone=lone))


def excerpt(text: str, width: int = WIDTH) -> str:
    """Returns the start of a text on one line, at most `width` characters."""
    line = visible(text)
    return line if len(line) <= width else f"{line[: width - 1].rstrip()}\N{HORIZONTAL ELLIPSIS}"


def visible(text: str) -> str:
    """Returns a text on one line without characters that steer a terminal or turn the direction of writing."""
    if text.isprintable():  # nearly every text; the rest takes twenty times as long
        return " ".join(text.split())
    kept = (" " if unicodedata.category(character) in {"Cc", "Zl", "Zp"} else character for character in text)
    shown = (character for character in kept if unicodedata.category(character) not in {"Cf", "Cs"})
    return " ".join("".join(shown).split())


def visible_lines(text: str) -> str:
    """Returns a message whose lines steer no terminal; names in it stay as they are, so that they can be copied."""
    return text.encode(errors="replace").decode().translate(_SHOWN)  # halves of characters are question marks


def _masked_lines(lines: list[str], *, lone: bool) -> list[str]:
    letters = _LETTERS.findall("".join(lines)) if lone else []
    return [_one_word(letters)] if len(letters) > _SHORT else [mask(line) for line in lines]


def _masked_letters(match: re.Match[str]) -> str:
    letters = _LETTERS.findall(match[0])
    return match[0] if "".join(letters).isdecimal() else _one_word(letters)


def _one_word(letters: list[str]) -> str:
    return letters[0] + MASK * (len(letters) - 1)


def _masked(match: re.Match[str]) -> str:
    core = match[0]
    plain = core.lower().replace("\N{RIGHT SINGLE QUOTATION MARK}", "'")
    if len(core) == 1 or (len(core) <= _SHORT and core.isdecimal()) or plain in _PLAIN_WORDS:
        return core
    return core[0] + MASK * (len(core) - 1)
