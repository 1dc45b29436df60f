"""Lines that are scored on their own as well: in a post of several, harmless ones drown a hateful one.

So it is with paragraphs, and with what people copy from a page: a name, a time, the words, `Like`, `Share`. Of a line
of a chat only what was said is read.
"""

from __future__ import annotations

import re
from typing import Final

from crossguard.preprocessing.windows import Span, ends

# Up to what ends a line for `str.splitlines`.
LINE: Final = re.compile(r"[^\n\r\v\f\x1c-\x1e\x85\u2028\u2029]+")
# `[12/03/2026, 14:02:11] Anna: `, `14:02 - Anna Miller: `, `[14:02] `, `[14:02] <anna> `, `<anna> `
DATE: Final = r"(?:\d{1,4}[./-]\d{1,2}[./-]\d{1,4},? )?"
TIME: Final = rf"\[?{DATE}\d{{1,2}}:\d\d(?::\d\d)?(?: ?[AaPp]\.?[Mm]\.?)?\]?"
NAME: Final = r"[\w.@+~-]{1,32}(?: [\w.~+-]{1,32}){0,2}"
SPEAKER: Final = re.compile(rf"\s*(?:{TIME} (?:- )?(?:<{NAME}> |{NAME}: )?|<{NAME}> )")
FEWEST_WORDS: Final = 2


def lines_of(text: str, longest: int, most: int) -> list[Span]:
    """Returns where the lines of a text lie, those that say something and are not longer than `longest` characters.

    Returns:
        First character of each and the one behind its last, at most `most`; none in a text of one line that is no chat.
    """
    spans = [_words(text, *match.span()) for match in LINE.finditer(text) if not match[0].isspace()]
    if len(spans) <= 1 and all(text[:start].isspace() or not start for start, _ in spans):
        return []
    first = {text[slice(*span)].strip(): span for span in reversed(spans) if span[1] - span[0] <= longest}
    said = sorted(span for line, span in first.items() if len(line.split(None, FEWEST_WORDS)) >= FEWEST_WORDS)
    return ends(said, most)


def _words(text: str, start: int, stop: int) -> Span:
    speaker = SPEAKER.match(text, start, stop)
    return (speaker.end() if speaker else start), stop
