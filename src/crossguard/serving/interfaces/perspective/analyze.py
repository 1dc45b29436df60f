"""`comments:analyze`: a comment gets its scores."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from sentencex import get_sentence_boundaries
from starlette.responses import Response

from crossguard.decision.calibration import MonotoneMap
from crossguard.preprocessing.language import UNDETERMINED
from crossguard.records import Decision, Post
from crossguard.serving.call import Call, scored
from crossguard.serving.errors import BadRequest, Unscorable
from crossguard.serving.interfaces.perspective.attributes import (
    Answerable,
    answerable,
    attribute_score,
    check_language,
    declared_other,
    known_languages,
)
from crossguard.serving.interfaces.perspective.schema import (
    Additions,
    AnalyzeCommentRequest,
    AnalyzeCommentResponse,
    AttributeScores,
    Score,
    SpanScore,
)
from crossguard.serving.json_bodies import as_json
from crossguard.serving.settings import primary

MAX_SPANS = 100
"""Most sentences that are scored on their own; the last takes the rest of the comment."""

SPLIT_CHARACTERS = 20_480
"""Characters in which sentences are looked for, as many as Google took."""

SPLIT_AT_ONCE = 1_024
"""Most of them that the splitter gets: 20,000 opening quotes took it two seconds, with their square."""

Span = tuple[int, int]


async def analyze(call: Call) -> Response:
    """Scores a comment, and where asked each of its sentences."""
    request = await call.parse(AnalyzeCommentRequest, plain=True)
    wanted = answerable(request.requested_attributes, call.moderator, call.settings.perspective_missing)
    known = known_languages(call)
    other = declared_other(request.languages, known)
    check_language(other, wanted.sources, call)
    text = request.comment.text
    spans = sentences(text, request.languages) if request.span_annotations else [(0, len(text))]
    posts = [Post("comment", text)]
    if spans != [(0, len(text))]:
        posts += [Post(f"span-{n}", text[begin:end]) for n, (begin, end) in enumerate(spans)]
    # What other languages get here is a setting of its own.
    decisions = await call.score(posts, parts=True, any_language=True)
    whole = _whole(decisions[0])
    detected = "" if whole.language == UNDETERMINED else whole.language
    if detected not in {"", *known}:
        # What a caller declares counts, as it did at Google; without a declaration the text has the say.
        check_language("" if request.languages else detected, wanted.sources, call)
        other = other or detected
    # A span without a word, such as a line of dashes, has no score of its own.
    parts = [(span, decision) for span, decision in zip(spans, decisions[1:] or [whole], strict=True) if decision.ok]
    additions = Additions(estimated=wanted.estimated, omitted=wanted.omitted, unsupported_language=other or None)
    answer = AnalyzeCommentResponse(
        attribute_scores=_scores(request, wanted, whole, parts, call.moderator.policy.perspective),
        languages=request.languages or [detected or known[0]],
        detected_languages=[detected] if detected else None,
        client_token=request.client_token,
        crossguard=additions if additions != Additions() else None,
    )
    body = answer.model_dump(by_alias=True, exclude_none=True)
    return as_json(body, headers=_headers(whole, wanted, other))


def _whole(decision: Decision) -> Decision:
    try:
        return scored(decision)
    except Unscorable as error:
        raise BadRequest(error.message, code="comment_empty") from None


def _scores(
    request: AnalyzeCommentRequest,
    wanted: Answerable,
    whole: Decision,
    parts: Sequence[tuple[Span, Decision]],
    maps: Mapping[str, MonotoneMap],
) -> dict[str, AttributeScores]:
    def score(decision: Decision, attribute: str) -> Score:
        raw = attribute_score(decision, attribute)
        return Score(value=round(maps[attribute](raw) if attribute in maps else raw, 8))

    return {
        asked: AttributeScores(
            span_scores=[
                SpanScore(begin=begin, end=end, score=score(decision, source)) for (begin, end), decision in parts
            ],
            summary_score=score(whole, source),
        )
        for asked, source in wanted.sources.items()
        if score(whole, source).value >= request.requested_attributes[asked].score_threshold
    }


def sentences(text: str, languages: Sequence[str]) -> list[Span]:
    """Returns begin and end of each sentence, without the space around it; the whole text where there is none.

    The last one takes what is left after `MAX_SPANS` or `SPLIT_CHARACTERS`.
    """
    spans: list[Span] = []
    begin = 0
    for end in _ends(primary(languages[0]) if languages else "en", text[:SPLIT_CHARACTERS]):
        part = text[begin:end]
        if part.strip() and len(spans) < MAX_SPANS:
            spans.append((end - len(part.lstrip()), begin + len(part.rstrip())))
        begin = end
    return [*spans[:-1], (spans[-1][0], len(text.rstrip()))] if spans else [(0, len(text))]


def _ends(language: str, text: str) -> Iterator[int]:
    """Yields where sentences end; one that reaches the end of a window is looked at again in the next one."""
    at = 0
    while at < len(text):
        ends = [at + found["end_index"] for found in get_sentence_boundaries(language, text[at : at + SPLIT_AT_ONCE])]
        if at + SPLIT_AT_ONCE < len(text):
            ends.pop()
        yield from ends
        at = ends[-1] if ends else at + SPLIT_AT_ONCE


def _headers(decision: Decision, wanted: Answerable, other: str) -> dict[str, str]:
    """Returns what scored and under which policy, so that a change is seen by whoever keeps answers, and marks."""
    versions = {
        "x-crossguard-model": f"{decision.model}-{decision.model_version}",
        "x-crossguard-policy": f"{decision.policy}@{decision.policy_version}",
    }
    marks = {
        "x-crossguard-estimated": ", ".join(f"{name}={source}" for name, source in wanted.estimated.items()),
        "x-crossguard-unsupported-language": other,
    }
    # A header holds ASCII: what an operator names in another script is escaped, what callers name so is left out.
    escaped = {name: text.encode("unicode_escape").decode() for name, text in versions.items()}
    return escaped | {name: mark for name, mark in marks.items() if mark and mark.isascii() and mark.isprintable()}
