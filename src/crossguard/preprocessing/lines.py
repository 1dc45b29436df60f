"""Lines that are scored on their own as well: in a post of several, harmless ones drown a hateful one.

So it is with paragraphs, and with what people copy from a page: a name, a time, the words, `Like`, `Share`. Of a line
of a chat what was said is read without the time, and once more without the speaker, whose name anything may be.
"""

from __future__ import annotations

import re
from typing import Final

from crossguard.preprocessing.windows import Span, ends

# Up to what ends a line for `str.splitlines`.
LINE: Final = re.compile(r"[^\n\r\v\f\x1c-\x1e\x85\u2028\u2029]+")
# `[12/03/2026, 14:02:11] Anna: `, `14:02 - Anna Miller: `, `[14:02] `, `[14:02] <anna> `, `<anna> `
DATE: Final = r"(?:\d{1,4}[./-]\d{1,2}[./-]\d{1,4},? )?"
TIME: Final = re.compile(
    rf"[\s\u200e\u200f\u202a\ufeff]*\[?{DATE}\d{{1,2}}:\d\d(?::\d\d)?(?:[ \u00a0\u202f]?[AaPp]\.?[Mm]\.?)?\]?\s(?:- )?"
)
# The group holds a name in brackets, which needs no time before it.
SPEAKER: Final = re.compile(r"\s*(?:(<[^<>]{1,40}>)|[^:<>]{1,40}:)\s")
# A comment or a tag alone in its line; nobody sees it.
TAG: Final = re.compile(r"\s*<[^<>]*>\s*")
FEWEST_WORDS: Final = 2


def lines_of(text: str, longest: int, most: int) -> list[Span]:
    """Returns where the lines of a text lie, those that say something and are not longer than `longest` characters.

    Returns:
        First character of each and the one behind its last, at most `most`; none in a text of one line that is no chat.
    """
    found = [match.span() for match in LINE.finditer(text) if not match[0].isspace()]
    spans = [part for span in found for part in _said(text, *span)]
    if len(found) <= 1 and spans == found:
        return []
    first = {text[slice(*span)]: span for span in reversed(spans) if span[1] - span[0] <= longest}
    return ends(sorted(span for line, span in first.items() if _says_something(line)), most)


def _says_something(line: str) -> bool:
    return len(line.split(None, FEWEST_WORDS)) >= FEWEST_WORDS and not TAG.fullmatch(line)


def _said(text: str, start: int, stop: int) -> list[Span]:
    """Returns a line without blanks around it; of a chat without the time, and without the speaker."""
    time = TIME.match(text, start, stop)
    starts = [time.end() if time else start]
    speaker = SPEAKER.match(text, starts[0], stop)
    if speaker and (time or speaker[1]):
        starts.append(speaker.end())
    return [_stripped(text, each, stop) for each in starts]


def _stripped(text: str, start: int, stop: int) -> Span:
    line = text[start:stop]
    return start + len(line) - len(line.lstrip()), stop - len(line) + len(line.rstrip())
