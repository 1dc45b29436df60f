"""Cleans raw text before the tokenizer, so that a disguise does not change what a word is.

A normaliser has a name that the bundle stores: a model is always fed by the one that it was trained with.
"""

from __future__ import annotations

import html
import re
import unicodedata
from functools import lru_cache
from typing import Final, Literal, TypeAlias

NormalizerName: TypeAlias = Literal["none", "social"]

# Whatever stands behind this many characters is not looked at: cleaning holds the interpreter, and a service has
# others to answer meanwhile.
MOST_CHARACTERS: Final = 65_536
# A text that becomes longer than this may grow by this factor in compatibility decomposition.
SHORT_TEXT: Final = 4096
EXPANSION: Final = 4

# A number of eight digits names no character, as no longer one does; Python refuses to read one of thousands.
REFERENCE: Final = re.compile(r"&#0*([0-9]{1,8})[0-9]*")
WORD: Final = re.compile(r"\w+")
LATIN: Final = re.compile(r"[A-Za-z]")
RETWEET: Final = re.compile(r'^[!"\s]*RT\b\s*(?:@\w+)?\s*:?\s*', re.IGNORECASE)
# What a link is made of: it ends at markup, at a bracket that it did not open, and at what cannot be seen, so that it
# hides no words that touch it.
_OF_LINK: Final = r"[^\s<>\"|()\[\]\u200b-\u200f\u202a-\u202e\u2060-\u2064\ufeff]"
_LINK: Final = rf"(?:{_OF_LINK}|\({_OF_LINK}*\)|\[{_OF_LINK}*\])"
# Elements of HTML by what a reader sees of them: nothing, or that something else begins.
_INLINE: Final = (
    "a|abbr|acronym|b|bdi|bdo|big|blink|button|cite|code|data|del|dfn|em|font|i|img|input|ins|kbd|label|mark|nobr|output|q|"
    "rb|rp|rt|ruby|s|samp|select|small|span|strike|strong|sub|sup|time|tt|u|var|wbr"
)
# Elements that have a name of their own, which may be words.
_CUSTOM: Final = r"[a-z]{1,20}(?:-[a-z0-9]{1,20}){1,4}"
_BLOCKS: Final = (
    "address|article|aside|blockquote|body|br|center|dd|details|div|dl|dt|figcaption|figure|footer|form|h[1-6]|"
    "head|header|hr|html|iframe|li|main|nav|ol|option|p|pre|script|section|style|summary|table|"
    "tbody|td|tfoot|th|thead|title|tr|ul|video"
)
# Words in angle brackets are no attributes, which have values.
_VALUE: Final = r"""\s?=\s?(?:"[^"<>]{0,500}"|'[^'<>]{0,500}'|[^\s"'<>]{1,500})"""
_ATTRIBUTE: Final = (
    rf"\s{{1,20}}(?:[\w:-]{{1,40}}{_VALUE}|hidden|disabled|checked|readonly|required|open|async|controls)"
)
_ATTRIBUTES: Final = rf"(?:{_ATTRIBUTE}){{0,20}}"
_END: Final = r"\s{0,20}/?\s?>"
INLINE_TAG: Final = re.compile(
    rf"</?(?:(?:{_INLINE})|(?=[a-z]{{1,20}}-))(?P<unseen>(?:(?<=[</]){_CUSTOM})?{_ATTRIBUTES}){_END}", re.IGNORECASE
)
BLOCK_TAG: Final = re.compile(rf"</?(?:{_BLOCKS})(?P<unseen>{_ATTRIBUTES}){_END}", re.IGNORECASE)
URL: Final = re.compile(rf"https?://{_LINK}*|www\.{_LINK}+|\[URL\]|\bt\.co/{_LINK}+", re.IGNORECASE)
MENTION: Final = re.compile(r"@\w+|\[USER\]", re.IGNORECASE)
MENTIONS: Final = re.compile(r"(?:user\s+){2,}")
HASHTAG: Final = re.compile(r"#(\w+)")
CAMEL: Final = re.compile(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])|(?<=[A-Za-z])(?=\d)|(?<=\d)(?=[A-Za-z])|_+")
# Letters set apart ("w o r d", "w.o.r.d") to slip past a filter.
SPACED_OUT: Final = re.compile(r"(?<![A-Za-z0-9])(?:[A-Za-z][ .\-_*]){2,}[A-Za-z](?![A-Za-z0-9])")
SEPARATORS: Final = re.compile(r"[ .\-_*]")
REPEATED: Final = re.compile(r"(.)\1{3,}")

# Letters (fillers of Hangul) and a sign of Braille that are shown as blanks.
_BLANK: Final = "\u115f\u1160\u2800\u3164\uffa0"
BLANK: Final = re.compile(f"[{_BLANK}]")
# White space and what cannot be seen, as padding of any length is made of: control and format characters, lone
# surrogates, private use, and what chooses a variant of a character or joins two.
PADDING: Final = re.compile(
    rf"[\s{_BLANK}\x00-\x1f\x7f-\x9f\u00ad\u034f\u061c\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f"
    "\ud800-\uf8ff\ufe00-\ufe0f\ufeff\ufff0-\ufffb\U0001d173-\U0001d17a\U000e0000-\U0010ffff]{2,}"
)
PADDED: Final = 16

QUOTES: Final = str.maketrans({"\u2018": "'", "\u2019": "'", "\u201b": "'", "`": "'", "\u201c": '"', "\u201d": '"'})
# Cyrillic, Greek and Turkish letters that look like a Latin one; used only inside words that hold Latin letters too.
LOOKALIKES: Final = str.maketrans(
    "аеорсхуіјѕԁһӏвнкмтАВЕКМНОРСТХУІЈЅαορντικΑΒΕΖΗΙΚΜΝΟΡΤΥΧı",
    "aeopcxyijsdhlbhkmtABEKMHOPCTXYIJSaopvtikABEZHIKMNOPTYXi",
)
SKIN_TONES: Final = {0x1F3FB: "white", 0x1F3FC: "light skin", 0x1F3FD: "brown", 0x1F3FE: "dark", 0x1F3FF: "black"}
FIRST_SYMBOL: Final = 0x2190
# Emoji that are friendly and name nobody (a black or brown heart may: "I hate 🖤"), and what chooses a variant of one.
FRIENDLY: Final = "😀😁😂🤣😃😄😅😆😇😉😊😋😍😎😘🙂🤗🤩🥰🥳☺❤♥🧡💛💚💙💜🤍💓💕💖💗💘💝💞💟👌👍👏💪🙌🙏⭐✨🌟🎉🎊💯"
_VARIANTS: Final = "\ufe0e\ufe0f🏻🏼🏽🏾🏿"
_EDGE: Final = f"{FRIENDLY}{_VARIANTS} \t\r\n"
_OF_SMILES: Final = frozenset(FRIENDLY)
SMILE: Final = ":)"
# Shapes, stars, arrows and hands that point, which set off lines and say no word. "Black" and "white" in their names
# mean filled and outlined, and a model takes them for people. ⚫⚪⬛⬜ are none: some write them for people.
ORNAMENT: Final = re.compile(
    "[\u2190-\u21ff\u23e9-\u23ef\u23f4-\u23fa\u25a0-\u25ff\u2605\u2606\u261a-\u261f\u26ac\u2722-\u2727\u2729-\u2743"
    "\u2747-\u274b\u274d\u274f-\u2752\u2756\u2794\u2798-\u27af\u27b1-\u27be\u2b00-\u2b1a\u2b1d-\u2b54\u2b56-\u2bff"
    "\U0001f446-\U0001f449\U0001f780-\U0001f7df\U0001f800-\U0001f8ff]"
)
BULLET: Final = "\u2022"
# Signs in place of a character or an object that was lost on the way: their names are no words of the text.
LOST: Final = re.compile("[\ufffc\ufffd]")
# Wishes of several Arabic words in one sign ("peace be upon him"), which texts in every language have behind a name.
WISH: Final = re.compile("[\ufd40-\ufd4f\ufdcf\ufdfa\ufdfb\ufdfd-\ufdff]")
PICTOGRAPHS: Final = range(0x1F000, 0x1FB00)
REGIONAL_A: Final = 0x1F1E6
REGIONAL: Final = range(REGIONAL_A, 0x1F200)


def normalize(text: str, name: NormalizerName) -> str:
    """Returns the text as the named normaliser leaves it.

    Every normaliser removes what cannot be seen (control, zero-width and direction characters, lone surrogates) and
    makes white space, and letters that are shown as blanks, single spaces. `social` also undoes what people do on
    social media: HTML entities, compatibility forms, emoji (friendly ones around the text become a smile, ornaments
    bullets, others are named), links (dropped), mentions, hashtags (split into words), look-alike letters, letters set
    apart and repeated.
    """
    return _social(text) if name == "social" else _plain(text)


def shorten(text: str, name: NormalizerName) -> str:
    """Removes from a very long text what nobody reads, so that padding cannot push the rest behind the end.

    That is what every normaliser removes, and for `social` links, and all but a few of a repeated character.
    """
    if name == "none":
        return _plain(without_padding(text)[:MOST_CHARACTERS])
    # Blanks may be padding as entities of HTML, too.
    text = without_padding(as_shown(text[: PADDED * MOST_CHARACTERS]))[:MOST_CHARACTERS]
    words = visible(URL.sub(" ", text))
    return _plain(REPEATED.sub(r"\1\1\1\1", words)) or _plain(text)


def without_padding(text: str) -> str:
    """Returns a text with one space for each run of white space and invisible characters."""
    return PADDING.sub(" ", text[: PADDED * MOST_CHARACTERS])


def as_shown(text: str) -> str:
    """Returns a text as a page shows it: with characters for HTML entities, escaped once or twice, and with blanks."""
    for _ in range(2):
        text = html.unescape(REFERENCE.sub(r"&#\1", text))
    return BLANK.sub(" ", text)


def _plain(text: str) -> str:
    return " ".join(visible(text).split())


def _social(text: str) -> str:
    text = as_shown(text)
    if not text.isascii():
        text = _without(LOST, _compatible(_without(WISH, text)))
        text = "".join(map(_name_symbol, _smiling(text)))
        text = URL.sub(r"\g<0> ", text)  # what ends a link may be invisible, and gone in a moment
    text = RETWEET.sub("", visible(text))
    text = MENTION.sub(" user ", URL.sub(" ", text))
    text = HASHTAG.sub(lambda match: f" {CAMEL.sub(' ', match[1])} ", text)
    text = text.replace("`", "'") if text.isascii() else text.translate(QUOTES)
    if not text.isascii():
        text = WORD.sub(_fold_mixed_scripts, text)
    text = SPACED_OUT.sub(lambda match: SEPARATORS.sub("", match[0]), text)
    text = MENTIONS.sub("user ", REPEATED.sub(r"\1\1", text))
    return " ".join(text.split())


def _without(signs: re.Pattern[str], text: str) -> str:
    """Returns a text without some signs, unless it is nothing else."""
    words = signs.sub(" ", text)
    return text if words.isspace() else words


def _smiling(text: str) -> str:
    """Returns a text with one smile for the friendly emoji on either side of it.

    Their names are words that the model makes too much of: hate hides behind "smiling face with heart shaped eyes", and
    a harmless sentence about a group is flagged for "party popper".
    """
    start = text.lstrip(_EDGE)
    words = start.rstrip(_EDGE)
    if not words:
        return text
    end = start[len(words) :]
    rest = end.lstrip(_VARIANTS)  # the tone of a person's skin at the end of the words
    before, after = ("" if _OF_SMILES.isdisjoint(edge) else SMILE for edge in (text[: len(text) - len(start)], rest))
    return f"{before} {words}{end[: len(end) - len(rest)]} {after}"


def _compatible(text: str) -> str:
    """Returns the compatibility form of a text; where that is far longer, of each sign only its beginning."""
    form = unicodedata.normalize("NFKC", text)
    if len(form) <= max(SHORT_TEXT, EXPANSION * len(text)):
        return form
    return "".join(map(_begin_compatible, text))


@lru_cache(maxsize=4096)
def _begin_compatible(character: str) -> str:
    return unicodedata.normalize("NFKC", character)[:EXPANSION]  # of up to 18 characters


def visible(text: str) -> str:
    """Returns a text without what cannot be seen, and with spaces for blanks and white space."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(map(_keep_visible, text))


@lru_cache(maxsize=4096)
def _keep_visible(character: str) -> str:
    if character.isspace() or character in _BLANK:
        return " "
    # Categories C*: control, format (zero-width, direction), surrogate, private use; variation selectors are Mn.
    hidden = unicodedata.category(character).startswith("C") or "\ufe00" <= character <= "\ufe0f"
    return "" if hidden else character


@lru_cache(maxsize=4096)
def _name_symbol(character: str) -> str:
    """Returns a bullet, or the name of an emoji or symbol, because a word-piece vocabulary has few of them."""
    point = ord(character)
    if point in SKIN_TONES:
        return f" {SKIN_TONES[point]} "
    if point in REGIONAL:  # two of them make a flag: the letters of the country
        return chr(point - REGIONAL_A + ord("a"))
    symbol = point in PICTOGRAPHS or unicodedata.category(character) in {"So", "Sk"}
    if point < FIRST_SYMBOL or not symbol:
        return character
    if ORNAMENT.match(character):
        return f" {BULLET} "
    name = unicodedata.name(character, "").lower().replace(" face", "").replace(" sign", "").replace("-", " ")
    return f" {name} "


def _fold_mixed_scripts(match: re.Match[str]) -> str:
    word = match.group()
    if word.isascii() or not LATIN.search(word):
        return word
    return word.translate(LOOKALIKES)
