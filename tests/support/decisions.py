"""Decisions of every kind, made up by hypothesis."""

from __future__ import annotations

from hypothesis import strategies as st

from crossguard.labels import HATE
from crossguard.records import Action, Decision, LabelDecision, PostFailure

# Everything that UTF-8 can hold, with the characters that upset CSV and JSON drawn often.
TEXTS = st.text(st.one_of(st.sampled_from('\n\r\0",;\\\t\u2028\ufeff '), st.characters(codec="utf-8")), max_size=12)
WORDS = st.from_regex(r"[a-z_]{1,12}", fullmatch=True)
SHARES = st.floats(0, 1)

LABEL_DECISIONS = st.builds(
    LabelDecision, score=SHARES, threshold=SHARES, flagged=st.booleans(), action=st.sampled_from(Action)
)
SCORED = st.builds(
    Decision,
    id=TEXTS,
    labels=st.tuples(*[LABEL_DECISIONS] * len(HATE)).map(lambda row: dict(zip(HATE.names, row, strict=True))),
    action=st.sampled_from(Action),
    text_weight=SHARES,
    model=TEXTS,
    model_version=TEXTS,
    policy=TEXTS,
    policy_version=TEXTS,
    notes=st.lists(WORDS, max_size=3).map(tuple),
)
FAILED = st.builds(
    Decision,
    id=TEXTS,
    labels=st.just({}),
    action=st.none(),
    text_weight=st.none(),
    model=TEXTS,
    model_version=TEXTS,
    policy=TEXTS,
    policy_version=TEXTS,
    error=st.builds(PostFailure, code=WORDS, message=TEXTS),
)
DECISIONS = st.one_of(SCORED, FAILED)


def failed(id_: str, code: str = "post_empty", message: str = "Nothing to score.") -> Decision:
    """The decision of a post that could not be scored."""
    return Decision(id_, {}, None, None, "tiny", "1.0.0", "default", "1", error=PostFailure(code, message))


def decision(id_: str, score: float = 0.25, *, model: str = "tiny", policy: str = "default") -> Decision:
    """One ordinary decision."""
    flagged = score >= 0.5
    label = LabelDecision(score, 0.5, flagged, Action.REVIEW if flagged else Action.ALLOW)
    return Decision(id_, dict.fromkeys(HATE.names, label), label.action, 1.0, model, "1.0.0", policy, "1")
